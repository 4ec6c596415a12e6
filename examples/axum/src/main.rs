//! The example service in axum.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use example_shared::{Answer, BaggageQuery, SlowQuery, ToQuery};
use futures_util::StreamExt;
use opentracing_axum::{Attribute, CurrentSpan, HttpTracing, TracingLayer};
use opentracing_tracing::log_ids;
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    log_lines(&example_shared::levels("example-axum"))?;
    let tracing = example_shared::tracing("example-axum");
    let app = app(&tracing)?.into_make_service_with_connect_info::<SocketAddr>();

    let listener = TcpListener::bind(example_shared::address(0)).await?;
    example_shared::ready(listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(example_shared::stopped())
        .await?;
    example_shared::flush(&tracing);
    Ok(())
}

/// Writes log lines with the ids of the current span to the standard error output.
fn log_lines(levels: &str) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::registry()
        .with(
            fmt::layer()
                .with_ansi(false)
                .with_writer(log_ids(io::stderr)),
        )
        .with(levels.parse::<Targets>()?)
        .try_init()?;
    Ok(())
}

fn app(tracing: &HttpTracing) -> Result<Router, Box<dyn Error>> {
    // The spans of this route have these attributes as tags, in addition to the default tags.
    let chosen = TracingLayer::new(
        tracing
            .mount_point()
            .attributes([Attribute::URL, "header:x-request-id".parse()?]),
    );

    Ok(Router::new()
        .route("/", get(hello))
        .nest(
            "/shops/{shop}",
            Router::new().route("/items/{id}", get(item)),
        )
        .route("/error", get(error))
        .route("/panic", get(panic))
        .route("/stream", get(stream))
        .route("/slow", get(slow))
        .route("/call", get(call))
        .route("/chain", get(chain))
        .route("/child", get(child))
        .route("/log", get(log))
        .route("/baggage", get(baggage))
        .route("/chosen", get(hello).layer(chosen))
        .route("/health", get(health))
        // Traces every route above, and the 404 of all others.
        .layer(TracingLayer::new(tracing)))
}

async fn hello() -> &'static str {
    "hello"
}

async fn item(Path((shop, id)): Path<(String, String)>) -> String {
    format!("item {id} of {shop}")
}

async fn error() -> Result<&'static str, (StatusCode, &'static str)> {
    Err((StatusCode::SERVICE_UNAVAILABLE, "not ready"))
}

async fn panic() -> &'static str {
    panic!("asked to panic")
}

async fn stream() -> Body {
    Body::from_stream(example_shared::chunks().map(Ok::<_, Infallible>))
}

async fn slow(Query(query): Query<SlowQuery>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(query.ms.unwrap_or(1000))).await;
    "done"
}

async fn call(span: CurrentSpan, Query(query): Query<ToQuery>) -> Response {
    pass_on(example_shared::call(&span, &query.to).await)
}

async fn chain(span: CurrentSpan, Query(query): Query<ToQuery>) -> Response {
    pass_on(example_shared::chain(&span, &query.to).await)
}

async fn child(span: CurrentSpan) -> String {
    let compute = span.child("compute");
    let answer = 6 * 7;
    compute.set_tag("answer", answer);
    answer.to_string()
}

async fn log(span: CurrentSpan) -> &'static str {
    span.log((("event", "priced"), ("cart.items", 3)));
    tracing::info!(items = 3, "priced the cart");
    "logged"
}

async fn baggage(span: CurrentSpan, Query(query): Query<BaggageQuery>) -> Response {
    if let Some((key, value)) = query.set.as_deref().and_then(|item| item.split_once(':')) {
        span.set_baggage_item(key, value);
    }
    if let Some(to) = query.to {
        return pass_on(example_shared::call(&span, &to).await);
    }
    let item = query.get.and_then(|key| span.baggage_item(&key));
    item.unwrap_or_default().into_response()
}

async fn health() -> &'static str {
    "healthy"
}

fn pass_on(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, answer.body).into_response()
}
