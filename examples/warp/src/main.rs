//! The example service in warp.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::Duration;

use example_shared::{Answer, BaggageQuery, SlowQuery, ToQuery};
use futures_util::StreamExt;
use opentracing_tracing::log_ids;
use opentracing_warp::{Attribute, CurrentSpan, MountPoint, Traced, current_span, route};
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reject::Reject;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply, path, query};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    log_lines(&example_shared::levels("example-warp"))?;
    let tracing = example_shared::tracing("example-warp");
    // The spans of one route have these attributes as tags, in addition to the default tags.
    let attributes = [Attribute::URL, "header:x-request-id".parse()?];
    let chosen = tracing.mount_point().attributes(attributes);
    // Traces every route, and the 404 of all others.
    let routes = routes(chosen).recover(recover).traced(&tracing);

    let listener = TcpListener::bind(example_shared::address(0)).await?;
    example_shared::ready(listener.local_addr()?);
    warp::serve(routes)
        .incoming(listener)
        .graceful(example_shared::stopped())
        .run()
        .await;
    example_shared::flush(&tracing);
    Ok(())
}

/// Writes log lines, as JSON with the ids of the current span to the standard error output.
fn log_lines(levels: &str) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::registry()
        .with(fmt::layer().json().with_writer(log_ids(io::stderr)))
        .with(levels.parse::<Targets>()?)
        .try_init()?;
    Ok(())
}

fn routes(chosen: MountPoint) -> BoxedFilter<(Response,)> {
    let hello = path::end().and(route("/")).map(|| "hello");
    let item = path!("items" / String).and(route("/shops/{shop}/items/{id}"));
    let shops = path!("shops" / String / ..)
        .and(item)
        .map(|shop, id| format!("item {id} of {shop}"));
    let error = path!("error").and(route("/error")).and_then(error);
    let panic = path!("panic").and(route("/panic")).map(panic);
    let stream = path!("stream").and(route("/stream")).map(stream);
    let slow = path!("slow").and(route("/slow")).and(query()).then(slow);
    let call = path!("call")
        .and(route("/call"))
        .and(current_span())
        .and(query())
        .then(call);
    let chain = path!("chain")
        .and(route("/chain"))
        .and(current_span())
        .and(query())
        .then(chain);
    let child = path!("child")
        .and(route("/child"))
        .and(current_span())
        .then(child);
    let log = path!("log")
        .and(route("/log"))
        .and(current_span())
        .then(log);
    let baggage = path!("baggage")
        .and(route("/baggage"))
        .and(current_span())
        .and(query())
        .then(baggage);
    let chosen = path!("chosen")
        .and(route("/chosen"))
        .map(|| "hello")
        .traced_route(chosen);
    let health = path!("health").map(|| "healthy");

    let shop = hello.or(shops).or(chosen).or(health);
    let outcomes = error.or(panic).or(stream).or(slow);
    let spans = call.or(chain).or(child).or(log).or(baggage);
    let routes = warp::get().and(shop.or(outcomes).or(spans));
    routes.map(Reply::into_response).boxed()
}

#[derive(Debug)]
struct NotReady;

impl Reject for NotReady {}

async fn error() -> Result<&'static str, Rejection> {
    Err(warp::reject::custom(NotReady))
}

async fn recover(rejection: Rejection) -> Result<impl Reply, Rejection> {
    match rejection.find() {
        Some(NotReady) => Ok(warp::reply::with_status(
            "not ready",
            StatusCode::SERVICE_UNAVAILABLE,
        )),
        None => Err(rejection),
    }
}

fn panic() -> &'static str {
    panic!("asked to panic")
}

fn stream() -> impl Reply {
    warp::reply::stream(example_shared::chunks().map(Ok::<_, Infallible>))
}

async fn slow(query: SlowQuery) -> &'static str {
    tokio::time::sleep(Duration::from_millis(query.ms.unwrap_or(1000))).await;
    "done"
}

async fn call(span: CurrentSpan, query: ToQuery) -> Response {
    pass_on(example_shared::call(&span, &query.to).await)
}

async fn chain(span: CurrentSpan, query: ToQuery) -> Response {
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

async fn baggage(span: CurrentSpan, query: BaggageQuery) -> Response {
    if let Some((key, value)) = query.set.as_deref().and_then(|item| item.split_once(':')) {
        span.set_baggage_item(key, value);
    }
    if let Some(to) = query.to {
        return pass_on(example_shared::call(&span, &to).await);
    }
    let item = query.get.and_then(|key| span.baggage_item(&key));
    item.unwrap_or_default().into_response()
}

fn pass_on(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    warp::reply::with_status(answer.body, status).into_response()
}
