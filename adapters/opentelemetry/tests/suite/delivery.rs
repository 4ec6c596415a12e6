//! What becomes of spans, and when an exporter or a processor is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SimpleSpanProcessor, SpanExporter};
use opentracing_http::report::Drops;
use opentracing_http::{HttpTracing, Tracer};
use opentracing_opentelemetry::{OpenTelemetryTracer, OpenTelemetryTracerBuilder};

use crate::received::{Processes, Received, count};

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

fn builder() -> OpenTelemetryTracerBuilder {
    OpenTelemetryTracer::builder()
        .batch_interval(Duration::from_secs(3600))
        .backoff(Duration::from_millis(1), Duration::from_millis(2))
}

fn report(tracer: &OpenTelemetryTracer, spans: usize) -> HttpTracing {
    let tracing = HttpTracing::new(tracer.clone());
    for _ in 0..spans {
        tracing.span("work").start().finish();
    }
    tracing
}

#[test]
fn resource_is_handed_over_with_the_services_name() {
    let attributes = [KeyValue::new("deployment", "blue")];
    let resource = Resource::builder_empty().with_attributes(attributes);
    let resource = resource.with_service_name("other").build();
    for is_processor in [false, true] {
        let received = Received::default();
        let builder = builder()
            .resource(resource.clone())
            .service_name("checkout");
        let tracer = match is_processor {
            false => builder.of_exporter(received.clone()),
            true => builder.of_processor(Processes(received.clone())),
        };
        drop(tracer.unwrap());
        let mut attributes = received.resource.lock().unwrap().clone();
        attributes.sort();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = [pair("deployment", "blue"), pair("service.name", "checkout")];
        assert_eq!(attributes, expected);
    }
    let received = Received::default();
    drop(builder().of_exporter(received.clone()).unwrap());
    let attributes = received.resource.lock().unwrap();
    let has = |key: &str| attributes.iter().any(|(found, _)| found == key);
    assert!(has("service.name") && has("telemetry.sdk.language"));
}

#[test]
fn flush_and_shutdown_are_forwarded_and_on_start_never_comes() {
    for is_processor in [false, true] {
        let received = Received::default();
        let tracer = match is_processor {
            false => builder().of_exporter(received.clone()),
            true => builder().of_processor(Processes(received.clone())),
        };
        let tracer = tracer.unwrap();
        let tracing = report(&tracer, 3);
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(received.take().len(), 3);
        assert_eq!((count(&received.flushes), tracer.delivered()), (1, 3));
        // Nothing has come since.
        assert!(tracing.flush(Duration::ZERO).is_complete());
        assert_eq!(count(&received.flushes), 1);
        tracing.span("work").start().finish();
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(count(&received.flushes), 2);

        assert_eq!(count(&received.shutdowns), 0);
        tracing.span("last").start().finish();
        assert!(tracer.shutdown(SOON).is_complete());
        assert_eq!(count(&received.shutdowns), 1);
        assert_eq!(received.take().len(), 2);
        tracing.span("too late").start().finish();
        assert_eq!((tracer.dropped(), tracer.delivered()), (1, 5));
        drop((tracing, tracer));
        assert_eq!(count(&received.shutdowns), 1);
        assert_eq!(count(&received.starts), 0);
    }
}

#[test]
fn flush_that_the_exporter_fails_is_not_complete() {
    let received = Received::default();
    let tracer = builder().of_exporter(received.clone()).unwrap();
    let tracing = report(&tracer, 1);
    let error = OTelSdkError::InternalFailure("no luck".to_owned());
    *received.flush_error.lock().unwrap() = Some(error);
    assert!(tracing.flush(SOON).timed_out());
    // It is tried again, although nothing has come since.
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(count(&received.flushes), 2);
    assert_eq!(tracer.dropped(), 0);
}

#[test]
fn export_that_failed_is_tried_again_unless_the_exporter_was_shut_down() {
    let received = Received::default();
    let errors = Arc::new(AtomicU32::new(0));
    let told = errors.clone();
    let tracer = builder()
        .retries(2)
        .on_error(move |_| _ = told.fetch_add(1, Ordering::Relaxed))
        .of_exporter(received.clone())
        .unwrap();
    let failure = || OTelSdkError::InternalFailure("503".to_owned());
    let fail = |with: Vec<OTelSdkError>| *received.errors.lock().unwrap() = with;
    fail(vec![failure(), OTelSdkError::Timeout(SOON)]);
    let tracing = report(&tracer, 2);
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!((received.take().len(), count(&received.exports)), (2, 3));
    assert_eq!(count(&errors), 2);

    fail((0..3).map(|_| failure()).collect());
    report(&tracer, 2);
    assert_eq!(
        tracing.flush(SOON).lost(),
        0,
        "the policy's end has flushed"
    );
    let drops = tracer.drops();
    assert_eq!((drops.failed, drops.total()), (2, 2));

    fail(vec![OTelSdkError::AlreadyShutdown]);
    report(&tracer, 1);
    let drops: Drops = tracer.drops();
    assert_eq!((drops.rejected, drops.total()), (1, 3));
    assert_eq!(tracer.delivered(), 2);
    assert_eq!(received.take().len(), 0);
}

/// Never comes back, and does not block.
#[derive(Debug)]
struct Hangs;

impl SpanExporter for Hangs {
    async fn export(
        &self,
        _: Vec<opentelemetry_sdk::trace::SpanData>,
    ) -> opentelemetry_sdk::error::OTelSdkResult {
        std::future::pending().await
    }
}

#[test]
fn export_that_takes_too_long_has_failed() {
    let tracer = builder()
        .export_timeout(Duration::from_millis(1))
        .retries(1)
        .of_exporter(Hangs)
        .unwrap();
    let tracing = report(&tracer, 2);
    assert_eq!(tracing.flush(SOON).lost(), 2);
    assert_eq!(tracer.drops().failed, 2);
}

/// Panics when it is called.
#[derive(Debug)]
struct Panics;

impl SpanExporter for Panics {
    async fn export(
        &self,
        _: Vec<opentelemetry_sdk::trace::SpanData>,
    ) -> opentelemetry_sdk::error::OTelSdkResult {
        std::panic::resume_unwind(Box::new("as asked for"))
    }

    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        std::panic::resume_unwind(Box::new("as asked for"))
    }

    fn shutdown(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        std::panic::resume_unwind(Box::new("as asked for"))
    }
}

#[test]
fn panic_in_an_exporter_loses_its_batch_and_nothing_else() {
    let tracer = builder().of_exporter(Panics).unwrap();
    let tracing = report(&tracer, 2);
    assert_eq!(tracing.flush(SOON).lost(), 2);
    tracing.span("after").start().finish();
    tracing.flush(SOON);
    assert_eq!(tracer.drops().panicked, 3);
    tracer.shutdown(SOON);
}

#[test]
fn processors_of_the_sdk_deliver() {
    let received = Received::default();
    let simple = SimpleSpanProcessor::new(received.clone());
    let tracer = builder().of_processor(simple).unwrap();
    let tracing = report(&tracer, 3);
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(received.take().len(), 3);
    assert!(tracer.shutdown(SOON).is_complete());
    assert_eq!(count(&received.shutdowns), 1);

    let received = Received::default();
    let batch = BatchSpanProcessor::builder(received.clone()).build();
    let tracer = builder().service_name("checkout").of_processor(batch);
    let tracer = tracer.unwrap();
    let tracing = report(&tracer, 3);
    // Its own queue is flushed as well.
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(received.take().len(), 3);
    let name = ("service.name".to_owned(), "checkout".to_owned());
    assert!(received.resource.lock().unwrap().contains(&name));
    tracing.span("last").start().finish();
    assert!(tracer.shutdown(SOON).is_complete());
    assert_eq!(received.take().len(), 1);
    assert_eq!(count(&received.shutdowns), 1);
}

#[test]
fn wrong_options_are_errors_that_name_them() {
    let error = builder()
        .export_timeout(Duration::ZERO)
        .of_exporter(Hangs)
        .unwrap_err();
    assert_eq!(error.option(), "export_timeout");
    let error = builder().queue_spans(0).of_exporter(Hangs).unwrap_err();
    assert_eq!(error.option(), "queue_spans");
    let error = builder()
        .of_exporter_made_by(|| Err::<Hangs, _>("no such scheme"))
        .unwrap_err();
    assert_eq!(error.to_string(), "option `exporter`: no such scheme");
    let error = builder()
        .of_processor_made_by(|| Err::<Processes, _>("no such scheme"))
        .unwrap_err();
    assert_eq!(error.to_string(), "option `processor`: no such scheme");
}
