//! The memory of a span is used again for other spans: no data is visible in another span, and nothing is kept alive.

#![allow(clippy::unwrap_used)]

mod isolation;
mod lifetime;
mod memory;
mod panics;

use http::{HeaderMap, Request};
use opentracing_http::server::{BodySize, Instrumentation, ResponseView};
use opentracing_http::{HttpTracing, Route};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn request(path: &str, traceparent: &str) -> Request<()> {
    Request::get(path)
        .header("host", "shop.example")
        .header("traceparent", traceparent)
        .body(())
        .unwrap()
}

/// Serves a request, as an adapter does; `handler` runs in its scope.
fn serve(instrumentation: &Instrumentation, request: &Request<()>, handler: impl FnOnce()) {
    let mut span = instrumentation.begin(request);
    span.scope(handler);
    span.set_route(Route::Template("/users/{id}"));
    let headers = HeaderMap::new();
    let body = span.head(&ResponseView {
        status: 200,
        headers: &headers,
        body: BodySize::Exact(5),
        upgrade: false,
    });
    if let Some(mut body) = body {
        body.sent(5);
        body.end();
    }
}

/// Serves requests of both kinds, so that every cell that is free is used again.
fn serve_many(tracing: &HttpTracing) {
    let instrumentation = Instrumentation::new(tracing, "test");
    for _ in 0..200 {
        for traceparent in [SAMPLED, UNSAMPLED] {
            serve(&instrumentation, &request("/others", traceparent), || ());
        }
    }
}
