//! Layers of different policies around one service.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use opentracing_http::{Diagnostic, FanOut, InMemoryTracer};
use opentracing_tower::{HttpTracing, TracingLayer};
use tower::{Layer as _, ServiceExt as _, service_fn};

type Reports = Arc<Mutex<Vec<String>>>;

fn audible() -> (HttpTracing, InMemoryTracer, Reports) {
    let (reports, tracer) = (Reports::default(), InMemoryTracer::new());
    let hook = reports.clone();
    let tracing = HttpTracing::builder(tracer.clone())
        .on_diagnostic(move |diagnostic| {
            assert!(matches!(diagnostic, Diagnostic::NestedPolicies(_)));
            hook.lock().unwrap().push(diagnostic.to_string());
        })
        .build()
        .unwrap();
    (tracing, tracer, reports)
}

async fn handle(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::default())
}

/// Sends three requests through both layers. `mounts` is the number of services that the outer layer wraps.
async fn send(outer: &HttpTracing, inner: &HttpTracing, mounts: usize) {
    let layer = TracingLayer::new(outer);
    let others: Vec<_> = (1..mounts)
        .map(|_| layer.layer(service_fn(handle)))
        .collect();
    let service = layer.layer(TracingLayer::new(inner).layer(service_fn(handle)));
    for _ in 0..3 {
        service.clone().oneshot(Request::new(())).await.unwrap();
    }
    drop(others);
}

#[tokio::test]
async fn inner_policy_that_gets_nothing_reports_it_once() {
    let (outer, outer_tracer, outer_reports) = audible();
    let (inner, inner_tracer, inner_reports) = audible();
    send(&outer, &inner, 2).await;
    assert_eq!(outer_tracer.finished().len(), 3);
    assert!(inner_tracer.finished().is_empty());
    let reports = inner_reports.lock().unwrap();
    assert!(
        reports.len() == 1 && reports[0].contains("(tower)"),
        "{reports:?}"
    );
    assert!(outer_reports.lock().unwrap().is_empty());
}

#[tokio::test]
async fn inner_policy_has_spans_of_its_own_within_the_only_service_of_the_outer_one() {
    let (outer, outer_tracer, _) = audible();
    let (inner, inner_tracer, reports) = audible();
    send(&outer, &inner, 1).await;
    let (outer, inner) = (outer_tracer.finished(), inner_tracer.finished());
    assert_eq!((outer.len(), inner.len()), (3, 3));
    for (outer, inner) in outer.iter().zip(&inner) {
        assert_eq!(inner.parent_id(), Some(outer.context().span_id()));
    }
    assert!(reports.lock().unwrap().is_empty());
}

#[tokio::test]
async fn fan_out_sends_the_spans_of_nested_layers_to_both_tracers() {
    let (one, other) = (InMemoryTracer::new(), InMemoryTracer::new());
    let tracing = HttpTracing::new(FanOut::new().and(one.clone()).and(other.clone()));
    send(&tracing, &tracing.clone(), 2).await;
    assert_eq!((one.finished().len(), other.finished().len()), (3, 3));
}
