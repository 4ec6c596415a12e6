//! The allocations that tracing adds to a request.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use opentracing_http::{FinishedSpan, Tracer};
use opentracing_tower::{Attribute, HttpTracing, NoopTracer, TracingLayer};
use tower::{Layer, Service, service_fn};

/// A tracer that drops every span, so that only the request's own allocations are counted.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

fn tracing() -> HttpTracing {
    let attributes = [
        Attribute::USER_AGENT,
        Attribute::header(http::header::ACCEPT),
    ];
    HttpTracing::builder(Discard)
        .attributes(attributes)
        .build()
        .unwrap()
}

/// Returns a request as a server passes it on.
fn request(traceparent: &str) -> Request<()> {
    Request::get("/users/7?page=2")
        .header("host", "shop.example")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("traceparent", traceparent)
        .body(())
        .unwrap()
}

/// Adds the peer's address to the extensions, as some servers do.
fn with_extensions(mut request: Request<()>) -> Request<()> {
    request
        .extensions_mut()
        .insert(SocketAddr::from(([127, 0, 0, 1], 4711)));
    request
}

async fn hello(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

fn ready<F: Future>(future: F) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut cx) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// Returns the number of allocations of one call, with the reading of its body.
fn allocations<S, B>(mut service: S, request: impl Fn() -> Request<()>) -> u64
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let mut once = || {
        let request = request();
        let counted = measure(|| {
            let Ok(response) = ready(service.call(request));
            let mut body = pin!(response.into_body());
            while ready(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))).is_some() {}
        });
        counted.count_total
    };
    // The first request fills thread-locals and lazy statics.
    once();
    once()
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[test]
fn request_costs_no_allocation_recorded_or_not() {
    let bare = allocations(service_fn(hello), || request(SAMPLED));
    let traced = |tracing: &HttpTracing| TracingLayer::new(tracing).layer(service_fn(hello));
    for extended in [false, true] {
        let request = |traceparent| match extended {
            true => with_extensions(request(traceparent)),
            false => request(traceparent),
        };
        let unsampled = allocations(traced(&tracing()), || request(UNSAMPLED));
        assert_eq!(unsampled, bare);
        let noop = HttpTracing::new(NoopTracer);
        assert_eq!(allocations(traced(&noop), || request(SAMPLED)), bare);
        let recorded = allocations(traced(&tracing()), || request(SAMPLED));
        assert_eq!(recorded, bare);
    }
}

#[test]
fn second_layer_costs_the_extensions_for_the_mark() {
    // A map and its table, if the server has inserted nothing.
    const EXTENSIONS: u64 = 2;

    let bare = allocations(service_fn(hello), || request(SAMPLED));
    let traced = |tracing: &HttpTracing| {
        let layer = TracingLayer::new(tracing);
        layer.layer(layer.layer(service_fn(hello)))
    };
    let unsampled = allocations(traced(&tracing()), || request(UNSAMPLED));
    assert_eq!(unsampled, bare + EXTENSIONS);
    let unsampled = allocations(traced(&tracing()), || with_extensions(request(UNSAMPLED)));
    assert_eq!(unsampled, bare);
}
