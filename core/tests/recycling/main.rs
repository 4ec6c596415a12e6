//! The memory of a span is used again for other spans: no data is visible in another span, and nothing is kept alive.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod isolation;
mod lifetime;
mod memory;
mod panics;

use http::Request;
use opentracing_http::server::{BodyPart, BodySize, Instrumentation};
use opentracing_http::{HttpTracing, Route};

use self::support::Bare;

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
    let body = span.respond(&mut Bare {
        status: 200,
        body: BodySize::Exact(5),
    });
    if let Some(mut body) = body {
        body.note(BodyPart::LastData(5));
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
