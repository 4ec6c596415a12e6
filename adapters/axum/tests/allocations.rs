//! The allocations that tracing adds to a request.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::task::{Context, Poll};

use allocation_counter::measure;
use axum::body::Body;
use axum::routing::get;
use axum::{Router, response::Response};
use http::Request;
use opentracing_axum::{Attribute, HttpTracing, TracingLayer};
use opentracing_http::{FinishedSpan, Tracer};
use tower::ServiceExt as _;
use tower_service::Service;

/// A tracer that drops every span, so that only the request's own allocations are counted.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

/// A layer that does nothing. It shows the cost of any layer in axum.
#[derive(Clone)]
struct Nothing<S>(S);

impl<S: Service<Request<Body>, Response = Response, Error = Infallible>> Service<Request<Body>>
    for Nothing<S>
{
    type Response = Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request)
    }
}

async fn hello() -> &'static str {
    tokio::task::yield_now().await;
    "hello"
}

fn app() -> Router {
    Router::new().route("/users/{id}", get(hello))
}

fn tracing() -> HttpTracing {
    HttpTracing::builder(Discard)
        .attributes([
            Attribute::USER_AGENT,
            Attribute::header(http::header::ACCEPT),
        ])
        .build()
        .unwrap()
}

fn request(traceparent: &str) -> Request<Body> {
    Request::get("/users/7?page=2")
        .header("host", "shop.example")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, br")
        .header("accept-language", "en")
        .header("connection", "keep-alive")
        .header("cache-control", "no-cache")
        .header("traceparent", traceparent)
        .body(Body::empty())
        .unwrap()
}

/// Returns the number of allocations of one request to the router, called as by `axum::serve`, with the reading of its body.
fn allocations(app: Router, traceparent: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    // Otherwise axum creates handlers and layers again at every call, and that would be counted.
    let app: Router = app.with_state(());
    let once = || {
        let request = request(traceparent);
        let app = app.clone();
        let info = measure(|| {
            runtime.block_on(async {
                let response = app.oneshot(request).await.unwrap();
                axum::body::to_bytes(response.into_body(), 1024)
                    .await
                    .unwrap();
            });
        });
        info.count_total
    };
    // The first request fills thread-locals and lazy statics.
    once();
    once()
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Returns the number for a layer that does nothing: axum boxes its service and its future.
fn with_any_layer() -> u64 {
    allocations(app().layer(tower_layer::layer_fn(Nothing)), SAMPLED)
}

#[test]
fn request_that_is_not_recorded_costs_the_mark() {
    // The mark itself has no size, but it is one entry more than the three of axum, so the request's extensions grow.
    const MARK: u64 = 1;

    let traced = app().layer(TracingLayer::new(tracing()));
    assert_eq!(allocations(traced, UNSAMPLED), with_any_layer() + MARK);
    let noop = app().layer(TracingLayer::new(HttpTracing::new(
        opentracing_http::NoopTracer,
    )));
    assert_eq!(allocations(noop, SAMPLED), with_any_layer() + MARK);
}

#[test]
fn recorded_request_costs_the_mark_and_the_boxed_body() {
    let traced = app().layer(TracingLayer::new(tracing()));
    let ours = allocations(traced, SAMPLED) - with_any_layer();
    assert_eq!(ours, 2);
}

#[test]
fn any_layer_costs_two_in_axum() {
    let bare = allocations(app(), SAMPLED);
    assert!(
        with_any_layer() - bare <= 2,
        "{} - {bare}",
        with_any_layer()
    );
}
