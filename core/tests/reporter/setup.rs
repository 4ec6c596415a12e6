//! The options of a reporter.

use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};

use super::*;

#[test]
fn nothing_is_dropped_to_begin_with() {
    let (_, reporter, _backend) = start(prompt());
    assert_eq!(reporter.drops(), Drops::default());
    assert_eq!((reporter.queued_spans(), reporter.queued_bytes()), (0, 0));
}

#[test]
fn wrong_options_are_errors_that_name_the_remedy() {
    let builder = Reporter::builder;
    let millisecond = Duration::from_millis(1);
    for (builder, option, remedy) in [
        (builder().queue_spans(0), "queue_spans", "raise"),
        (builder().queue_bytes(0), "queue_bytes", "raise"),
        (builder().batch_spans(0), "batch_spans", "raise"),
        (builder().batch_bytes(0), "batch_bytes", "raise"),
        (
            builder().queue_spans(10).batch_spans(11),
            "batch_spans",
            "`queue_spans`",
        ),
        (
            builder().queue_bytes(10).batch_bytes(11),
            "batch_bytes",
            "`queue_bytes`",
        ),
        (
            builder().batch_interval(Duration::ZERO),
            "batch_interval",
            "longer",
        ),
        (
            builder().backoff(Duration::ZERO, millisecond),
            "backoff",
            "short",
        ),
        (
            builder().backoff(2 * millisecond, millisecond),
            "backoff",
            "short",
        ),
        (builder().thread_name("a\0b"), "thread_name", "NUL"),
    ] {
        let (exporter, _backend) = scripted();
        let error = builder.build(exporter).unwrap_err();
        assert_eq!(error.option(), option);
        assert!(error.to_string().contains(remedy), "{error}");
    }
    // A batch may be as large as the queue.
    let (exporter, _backend) = scripted();
    let whole = builder().queue_spans(10).batch_spans(10);
    let whole = whole.queue_bytes(10).batch_bytes(10);
    assert!(whole.build(exporter).is_ok());
    // A bound that was not set adapts to the one that was.
    let (exporter, _backend) = scripted();
    assert!(
        builder()
            .queue_spans(1)
            .queue_bytes(1)
            .build(exporter)
            .is_ok()
    );
}

#[test]
fn times_that_overflow_every_clock_are_accepted() {
    let (tracing, reporter, backend) = start(
        prompt()
            .batch_interval(Duration::MAX)
            .backoff(Duration::MAX, Duration::MAX)
            .shutdown_timeout(Duration::MAX),
    );
    finish(&tracing, &["a"]);
    backend.accept();
    assert!(tracing.flush(Duration::MAX).is_complete());
    assert!(reporter.shutdown(Duration::MAX).is_complete());
}

#[test]
fn a_reporter_is_shared_between_threads_and_policies() {
    fn is_tracer<T: Tracer + Clone + Send + Sync + std::fmt::Debug>(_: &T) {}
    let (tracing, reporter, backend) = start(prompt().batch_spans(2));
    is_tracer(&reporter);
    finish(&tracing, &["a"]);
    // The end of a policy waits until everything is delivered.
    let other = HttpTracing::new(reporter.clone());
    finish(&other, &["b"]);
    assert_eq!(backend.batch(), ["a", "b"]);
    backend.accept();
}

#[test]
fn a_boxed_exporter_is_one() {
    let (exporter, backend) = scripted();
    let boxed: Box<dyn Exporter> = Box::new(exporter);
    let reporter = Reporter::with_defaults(boxed).unwrap();
    let tracing = HttpTracing::new(reporter.clone());
    finish(&tracing, &["a"]);
    backend.answer(|| Err(ExportError::rejected("no")));
    assert_eq!(tracing.flush(LONG).lost(), 1);
    assert_eq!(backend.batch(), ["a"]);
    assert_eq!(reporter.drops().rejected, 1);
    assert!(reporter.shutdown(LONG).is_complete());
    assert_eq!(backend.event(), Event::Shutdown);
    assert_eq!(backend.event(), Event::Dropped);
}

#[test]
fn an_error_displays_its_cause_and_has_the_source_of_the_cause() {
    use std::error::Error;

    #[derive(Debug)]
    struct Outer(std::fmt::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("busy")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    let error = ExportError::retry(Outer(std::fmt::Error));
    assert_eq!(error.to_string(), "busy");
    let cause = error.source().unwrap().to_string();
    assert_eq!(cause, std::fmt::Error.to_string());
    assert!(ExportError::rejected("no").source().is_none());
}

#[test]
fn a_disabled_reporter_records_nothing_and_passes_callers_on() {
    let reporter = Reporter::disabled();
    let tracing = HttpTracing::new(reporter.clone());
    let span = tracing.span("root").start();
    assert!(!span.is_recording());
    assert!(span.context().is_none());
    let caller = SpanContext::new(
        TraceId::new(1).unwrap(),
        SpanId::new(2).unwrap(),
        TraceFlags::SAMPLED,
    );
    let span = tracing.span("child").child_of(caller.clone()).start();
    assert_eq!(span.context(), Some(caller));
    drop(span);
    assert!(tracing.flush(LONG).is_complete());
    assert!(reporter.shutdown(LONG).is_complete());
    assert_eq!((reporter.delivered(), reporter.drops().total()), (0, 0));
    assert_eq!((reporter.queued_spans(), reporter.queued_bytes()), (0, 0));
    assert_eq!(format!("{reporter:?}"), "Reporter::disabled()");
}
