//! Errors, trailers and panics of a plain service, and layers outside of the traced one.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use opentracing_http::{FinishedSpan, InMemoryTracer, Outcome};
use opentracing_tower::{HttpTracing, Span, TracingLayer};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

fn tracing() -> (InMemoryTracer, TracingLayer) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), TracingLayer::new(HttpTracing::new(tracer)))
}

fn only(tracer: &InMemoryTracer) -> FinishedSpan {
    tracer.assert_nothing_unfinished();
    let mut spans = tracer.take();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

fn outcome(span: &FinishedSpan) -> Outcome {
    span.http().unwrap().outcome()
}

#[tokio::test]
async fn error_of_the_service_is_a_handler_error() {
    let (tracer, layer) = tracing();
    let service = layer.layer(service_fn(|_: Request<()>| async {
        Err::<Response<Full<Bytes>>, _>(std::io::Error::other("no luck"))
    }));
    assert!(service.oneshot(Request::new(())).await.is_err());
    let span = only(&tracer);
    assert_eq!(
        (outcome(&span), span.is_error()),
        (Outcome::HandlerError, true)
    );
    let logs = span.logs();
    assert!(
        logs[0].fields.iter().any(|field| field.value == "no luck"),
        "{logs:?}"
    );
}

#[tokio::test]
async fn trailers_are_passed_on_and_end_the_span() {
    let (tracer, layer) = tracing();
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from("data"))),
            Ok(Frame::trailers(trailers)),
        ];
        Ok::<_, Infallible>(Response::new(StreamBody::new(futures_util::stream::iter(
            frames,
        ))))
    }));
    let mut body = service.oneshot(Request::new(())).await.unwrap().into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "data"
    );
    assert!(tracer.finished().is_empty());
    let trailers = body
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_trailers()
        .unwrap();
    assert_eq!(trailers["x-sum"], "1");
    assert_eq!(outcome(&only(&tracer)), Outcome::Completed);
}

#[tokio::test]
async fn failing_body_has_the_outcome_body_failed() {
    let (tracer, layer) = tracing();
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let frames = [
            Ok(Frame::data(Bytes::from("data"))),
            Err(std::io::Error::other("disk gone")),
        ];
        Ok::<_, Infallible>(Response::new(StreamBody::new(futures_util::stream::iter(
            frames,
        ))))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    let span = only(&tracer);
    assert_eq!(
        (outcome(&span), span.http().unwrap().body_bytes()),
        (Outcome::BodyFailed, 4)
    );
    assert!(span.is_error());
}

#[tokio::test]
async fn timeout_outside_of_the_layer_is_cancelled_with_the_span_current_in_the_drop() {
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            Span::current().set_tag("dropped.in.scope", true);
        }
    }
    let (tracer, layer) = tracing();
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let _on_drop = OnDrop;
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let timed_out =
        tokio::time::timeout(Duration::from_millis(1), service.oneshot(Request::new(()))).await;
    assert!(timed_out.is_err());
    let span = only(&tracer);
    assert_eq!(outcome(&span), Outcome::Cancelled);
    assert_eq!(span.tag("dropped.in.scope"), Some(true.into()));
}

#[tokio::test]
async fn panic_that_is_caught_outside_has_the_outcome_panicked() {
    let (tracer, layer) = tracing();
    let service = layer.layer(service_fn(|request: Request<bool>| {
        // In `call` or in the future, which are both user code.
        assert!(!*request.body(), "in call");
        async { panic!("in the future") as Result<Response<Full<Bytes>>, Infallible> }
    }));
    for in_call in [true, false] {
        let mut service = service.clone();
        let called = tokio::spawn(async move {
            service.ready().await.unwrap();
            service.call(Request::new(in_call)).await
        });
        assert!(called.await.is_err());
        assert_eq!(outcome(&only(&tracer)), Outcome::Panicked);
    }
}

#[tokio::test]
async fn request_that_a_handler_makes_has_its_own_span() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let hello = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let inner = TracingLayer::new(&tracing).layer(hello);
    let outer = TracingLayer::new(tracing.mount_point().name("outer")).layer(service_fn(
        move |_: Request<()>| {
            let inner = inner.clone();
            async move {
                let mut request = Request::new(());
                Span::current().inject(request.headers_mut());
                inner.oneshot(request).await
            }
        },
    ));
    drop(outer.oneshot(Request::new(())).await.unwrap());
    let spans = tracer.finished();
    assert_eq!(spans.len(), 2);
    assert_eq!((spans[0].name(), spans[1].name()), ("GET", "outer"));
    assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
}
