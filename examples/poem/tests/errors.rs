//! poem's own handling of errors stays the same.

use example_poem::Tracing;
use futures_util::FutureExt;
use opentracing_http::{HttpTracing, InMemoryTracer, TraceIdHeader};
use poem::error::NotFoundError;
use poem::http::StatusCode;
use poem::{Endpoint, EndpointExt, Request, Response, Route, get, handler};

#[handler]
fn missing() -> Result<(), NotFoundError> {
    Err(NotFoundError)
}

fn response(app: impl Endpoint<Output = Response>) -> Response {
    app.get_response(Request::builder().uri_str("/").finish())
        .now_or_never()
        .expect("nothing waits")
}

#[test]
fn error_between_two_mount_points_can_be_caught() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let route = get(missing).with(Tracing::new(&tracing));
    let app = Route::new()
        .at("/", route)
        .catch_error(|_: NotFoundError| async { StatusCode::IM_A_TEAPOT })
        .with(Tracing::new(&tracing));
    assert_eq!(response(app).status(), StatusCode::IM_A_TEAPOT);
    let spans = tracer.finished();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].name(), "GET /");
    assert_eq!(spans[0].http().expect("a request").status(), Some(418));
}

#[test]
fn error_has_the_trace_id_in_its_response() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .return_trace_id(TraceIdHeader::TraceResponse)
        .build()
        .expect("a policy");
    let response = response(get(missing).with(Tracing::new(&tracing)));
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.header("traceresponse").is_some());
}
