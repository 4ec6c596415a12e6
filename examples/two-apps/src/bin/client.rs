//! The calling app: it traces all requests, and propagates its span in the call to the other app.

use std::env;
use std::error::Error;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use opentracing_axum::{CurrentSpan, Span, TracingLayer};
use opentracing_http::SpanKind;
use reqwest::Client;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    example_two_apps::log_lines("client")?;
    let tracing = example_shared::tracing("example-client");
    let server = env::var("SERVER_URL").unwrap_or_else(|_| "http://127.0.0.1:5000".to_owned());
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .with_state((Client::new(), server))
        .layer(TracingLayer::new(&tracing));

    let listener = TcpListener::bind(example_shared::address(5001)).await?;
    example_shared::ready(listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(example_shared::stopped())
        .await?;
    example_shared::flush(&tracing);
    Ok(())
}

async fn order(
    span: CurrentSpan,
    State((client, server)): State<(Client, String)>,
    Path(id): Path<u32>,
) -> Result<String, (StatusCode, String)> {
    tracing::info!(id, "ordered");
    let price = price(&span, &client, format!("{server}/prices/{id}")).await;
    let price = price.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))?;
    Ok(format!("item {id} costs {price}"))
}

async fn price(span: &Span, client: &Client, url: String) -> reqwest::Result<String> {
    let call = span
        .build_child("get price")
        .kind(SpanKind::Client)
        .tag("http.url", url.clone())
        .start();

    let mut request = client.get(url).build()?;
    call.inject(request.headers_mut());
    let response = client.execute(request).await.inspect_err(|error| {
        call.record_error(error);
    })?;
    call.set_tag("http.status_code", response.status().as_u16());
    response.error_for_status()?.text().await
}
