//! Fields, events and references: what of a `tracing` span arrives in the tracer.

#![allow(clippy::unwrap_used)]

use std::fmt;

use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, Limits, Span, SpanKind, Value};
use opentracing_tracing::SpanLayer;
use tracing::{debug, error, field, info, info_span, instrument, warn};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// Runs `f` in a recorded span named `request`, with the default layer installed, and returns the finished spans.
fn traced(f: impl FnOnce()) -> Vec<FinishedSpan> {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    traced_with(&tracing, opentracing_tracing::SpanLayer::new(), f);
    tracer.assert_nothing_unfinished();
    tracer.finished()
}

fn traced_with(tracing: &HttpTracing, layer: SpanLayer, f: impl FnOnce()) {
    let layer = layer.with_filter(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let request = tracing.span("request").start();
        request.in_scope(f);
    });
}

fn named<'a>(spans: &'a [FinishedSpan], name: &str) -> &'a FinishedSpan {
    let mut found = spans.iter().filter(|span| span.name() == name);
    let span = found.next().unwrap_or_else(|| panic!("no span {name}"));
    assert!(found.next().is_none(), "two spans {name}");
    span
}

/// The fields of a span's only log.
fn log(span: &FinishedSpan) -> Vec<(String, Value)> {
    let logs = span.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    let fields = logs[0].fields.iter();
    fields
        .map(|field| (field.key.to_string(), field.value.clone()))
        .collect()
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Vec<(String, Value)> {
    fields.map(|(key, value)| (key.to_owned(), value)).into()
}

/// An error with a source.
#[derive(Debug)]
struct Declined;

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("declined")
    }
}

impl std::error::Error for Declined {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        static CAUSE: fmt::Error = fmt::Error;
        Some(&CAUSE)
    }
}

#[test]
fn fields_keep_their_types() {
    let spans = traced(|| {
        let name = String::from("Ada");
        let span = info_span!(
            "work",
            int = -3_i64,
            unsigned = 7_u64,
            large = u64::MAX,
            half = 0.5,
            truth = true,
            text = "tea",
            shown = %name,
            written = ?name,
            later = field::Empty,
        );
        span.record("later", 4);
        span.record("int", -4);
    });
    let work = named(&spans, "work");
    let tag = |key| work.tag(key).unwrap();
    assert_eq!(tag("int"), Value::I64(-4));
    assert_eq!(tag("unsigned"), Value::I64(7));
    assert_eq!(tag("large"), "18446744073709551615");
    assert_eq!(tag("half"), Value::F64(0.5));
    assert_eq!(tag("truth"), Value::Bool(true));
    assert_eq!(tag("text"), "tea");
    assert_eq!(tag("shown"), "Ada");
    assert_eq!(tag("written"), "\"Ada\"");
    assert_eq!(tag("later"), Value::I64(4));
    assert_eq!(work.tag("code.line.number"), None);
}

#[test]
fn fields_are_bounded_by_the_limits_of_the_policy() {
    let tracer = InMemoryTracer::new();
    let limits = Limits::default()
        .with_value_bytes(10)
        .with_tags(2)
        .with_logs(1);
    let tracing = HttpTracing::builder(tracer.clone())
        .limits(limits)
        .build()
        .unwrap();
    traced_with(&tracing, SpanLayer::new(), || {
        let long = "x".repeat(1_000_000);
        let span = info_span!("work", long, shown = %long, third = 3);
        let _entered = span.enter();
        info!("{long}");
        info!("{long}");
    });
    let spans = tracer.finished();
    let work = named(&spans, "work");
    assert_eq!(work.tags().len(), 2);
    assert_eq!(work.tag("long").unwrap(), "xxxxxxxxxx");
    assert_eq!(work.tag("shown").unwrap(), "xxxxxxxxxx");
    assert_eq!(log(work)[0], ("event".to_owned(), "xxxxxxxxxx".into()));
    assert_eq!((work.omitted().tags, work.omitted().logs), (1, 1));
}

#[test]
fn fields_of_tracing_opentelemetry_mean_the_same() {
    let spans = traced(|| {
        let _named = info_span!("a", otel.name = "GET the stock", otel.kind = "client");
        let _kind = info_span!("b", otel.kind = ?SpanKind::Producer, otel.name = field::Empty)
            .record("otel.name", "publish");
        let _failed = info_span!("c", otel.status_code = "ERROR");
        let _described = info_span!("d", otel.status_description = "no stock");
        let _message = info_span!("e", otel.status_message = field::Empty)
            .record("otel.status_message", "no tea");
        let _fine = info_span!("f", error = true, otel.status_code = field::Empty)
            .record("otel.status_code", "OK");
        let _unknown = info_span!("g", otel.kind = "sideways", otel.status_code = "üüü");
        let _other = info_span!("h", otel.other = "kept");
    });
    assert_eq!(named(&spans, "GET the stock").kind(), SpanKind::Client);
    assert_eq!(named(&spans, "GET the stock").tags().len(), 1);
    assert_eq!(named(&spans, "publish").kind(), SpanKind::Producer);
    assert!(named(&spans, "c").is_error());
    for (name, text) in [("d", "no stock"), ("e", "no tea")] {
        let span = named(&spans, name);
        assert!(span.is_error());
        let expected = fields([("event", "error".into()), ("message", text.into())]);
        assert_eq!(log(span), expected);
    }
    assert!(!named(&spans, "f").is_error());
    assert!(!named(&spans, "g").is_error());
    assert_eq!(named(&spans, "g").kind(), SpanKind::Internal);
    assert_eq!(named(&spans, "h").tag("otel.other").unwrap(), "kept");
}

#[test]
fn field_error_of_a_span_marks_it_as_failed() {
    let spans = traced(|| {
        let error: &dyn std::error::Error = &Declined;
        let _typed = info_span!("typed", error);
        let _text = info_span!("text", error = field::Empty).record("error", "declined");
        let _shown = info_span!("shown", error = %Declined);
        let _bool = info_span!("bool", error = true);
        let _not = info_span!("not", error = false);
    });
    let expected = fields([("event", "error".into()), ("message", "declined".into())]);
    for name in ["text", "shown"] {
        assert!(named(&spans, name).is_error(), "{name}");
        assert_eq!(log(named(&spans, name)), expected, "{name}");
    }
    let cause = fmt::Error.to_string();
    assert!(named(&spans, "typed").is_error());
    assert_eq!(
        log(named(&spans, "typed"))[2],
        ("error.cause".to_owned(), cause.into())
    );
    assert!(named(&spans, "bool").is_error());
    assert!(!named(&spans, "not").is_error());
    assert!(!named(&spans, "request").is_error());
}

#[test]
fn event_is_a_log_of_the_innermost_span() {
    let spans = traced(|| {
        info!("in the request");
        info_span!("outer").in_scope(|| {
            info_span!("inner").in_scope(|| {
                warn!(target: "shop::stock", item = 7, "nearly {}", "empty");
            });
            Span::current()
                .child("ours")
                .in_scope(|| info!(event = "own", "text"));
        });
    });
    let target = module_path!();
    let expected = |text: &str| {
        fields([
            ("event", text.into()),
            ("level", "INFO".into()),
            ("target", target.into()),
        ])
    };
    assert_eq!(log(named(&spans, "request")), expected("in the request"));
    assert!(named(&spans, "outer").logs().is_empty());
    let inner = fields([
        ("event", "nearly empty".into()),
        ("item", 7.into()),
        ("level", "WARN".into()),
        ("target", "shop::stock".into()),
    ]);
    assert_eq!(log(named(&spans, "inner")), inner);
    let ours = log(named(&spans, "ours"));
    assert!(ours.contains(&("event".to_owned(), "own".into())));
    assert!(ours.contains(&("message".to_owned(), "text".into())));
}

#[test]
fn event_with_a_parent_is_its_log() {
    let spans = traced(|| {
        let span = info_span!("work");
        info!(parent: &span, "of work");
        error!(parent: &span, "failed");
        span.in_scope(|| {
            let ours = Span::current().child("ours");
            ours.in_scope(|| info!(parent: &span, "of work, too"));
        });
        info!(parent: None, "of nobody");
        // The filter leaves this one out.
        let hidden = tracing::debug_span!("hidden");
        info!(parent: &hidden, "of nobody");
    });
    let work = named(&spans, "work");
    assert_eq!(work.logs().len(), 3);
    assert!(named(&spans, "ours").logs().is_empty());
    assert!(work.is_error());
    assert!(named(&spans, "request").logs().is_empty());
    assert!(!named(&spans, "request").is_error());
}

#[test]
fn error_that_a_function_returns_marks_its_span_and_no_other() {
    #[instrument(err)]
    fn charge() -> Result<(), Declined> {
        Err(Declined)
    }
    #[instrument(err(Debug, level = "warn"), ret)]
    fn refund(fails: bool) -> Result<u32, Declined> {
        if fails { Err(Declined) } else { Ok(3) }
    }
    #[instrument]
    fn order() {
        let _ = (charge(), refund(true));
    }
    let spans = traced(|| {
        order();
        error!("of the request itself");
    });
    for (name, text) in [("charge", "declined"), ("refund", "Declined")] {
        let span = named(&spans, name);
        assert!(span.is_error(), "{name}");
        assert_eq!(
            log(span)[..2],
            fields([("event", "error".into()), ("message", text.into())])
        );
    }
    assert!(!named(&spans, "order").is_error());
    let request = named(&spans, "request");
    assert!(!request.is_error());
    let text = ("message".to_owned(), "of the request itself".into());
    assert_eq!(log(request)[1], text);

    let spans = traced(|| {
        let _ = refund(false);
    });
    let span = named(&spans, "refund");
    assert!(!span.is_error());
    assert_eq!(log(span)[0], ("return".to_owned(), "3".into()));
}

#[test]
fn error_beside_a_message_keeps_both_and_the_cause() {
    let spans = traced(|| {
        let error: &dyn std::error::Error = &Declined;
        info_span!("charge").in_scope(|| error!(error, "no charge"));
        // An error that was handled.
        info_span!("retry").in_scope(|| info!(error = %Declined, "again"));
        // What the application starts itself is marked by the application.
        Span::current().child("ours").in_scope(|| error!("failed"));
    });
    let charge = named(&spans, "charge");
    assert!(charge.is_error());
    assert_eq!(
        log(charge)[..4],
        fields([
            ("event", "error".into()),
            ("message", "no charge".into()),
            ("error", "declined".into()),
            ("error.cause", fmt::Error.to_string().into()),
        ])
    );
    assert!(!named(&spans, "retry").is_error());
    assert!(!named(&spans, "ours").is_error());
}

#[test]
fn events_below_the_filter_and_outside_of_spans_do_nothing() {
    let spans = traced(|| debug!("hidden"));
    assert!(spans[0].logs().is_empty());

    let subscriber = tracing_subscriber::registry().with(opentracing_tracing::layer());
    tracing::subscriber::with_default(subscriber, || {
        info!("nobody's");
        info_span!("nobody's").in_scope(|| info!("nobody's"));
    });
}

#[test]
fn span_that_follows_from_another_one_refers_to_it() {
    let spans = traced(|| {
        let cause = info_span!("cause");
        let effect = info_span!("effect");
        effect.follows_from(&cause);
    });
    let (cause, effect) = (named(&spans, "cause"), named(&spans, "effect"));
    let references: Vec<_> = effect.references().collect();
    assert_eq!(references.len(), 2);
    assert_eq!(
        effect.parent_id(),
        Some(named(&spans, "request").context().span_id())
    );
    assert_eq!(references[1].context.span_id(), cause.context().span_id());
    assert!(!effect.is_follower());
}

#[test]
fn location_is_tagged_if_it_is_asked_for() {
    let tracer = InMemoryTracer::new();
    let layer = SpanLayer::new().code_location(true);
    traced_with(&HttpTracing::new(tracer.clone()), layer, || {
        drop(info_span!("work"))
    });
    let work = &tracer.named("work")[0];
    assert_eq!(work.tag("code.file.path").unwrap(), file!());
    assert_eq!(work.tag("target").unwrap(), module_path!());
    assert!(work.tag("code.line.number").unwrap().as_i64() > Some(300));
}

/// A value whose text cannot be created.
struct Broken;

impl fmt::Debug for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("broken")
    }
}

#[test]
fn value_that_panics_is_left_out() {
    let spans = traced(|| {
        let span =
            info_span!("work", broken = ?Broken, otel.name = ?Broken, error = ?Broken, fine = 1);
        let _entered = span.enter();
        info!(broken = ?Broken, fine = 2);
    });
    let work = named(&spans, "work");
    assert_eq!(work.tag("fine"), Some(Value::I64(1)));
    assert_eq!(work.tag("broken"), None);
    let log = &work.logs()[1];
    assert_eq!(log.fields[0].value, Value::I64(2));
}

#[test]
fn messages_of_the_core_are_no_logs() {
    let spans = traced(|| {
        error!(target: "opentracing_http", "spans lost so far: 1");
        info!(target: "opentracing_http::report", "not either");
        info!(target: "opentracing_https", "of another crate");
    });
    let text = ("event".to_owned(), "of another crate".into());
    assert_eq!(log(&spans[0])[0], text);
}

#[test]
fn records_of_the_log_crate_have_their_own_target_and_level() {
    // The bridge is installed for the process, and sends to the subscriber of the thread.
    tracing_log::LogTracer::init().unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let spans = traced(|| {
        log::warn!(target: "stock", "nearly empty");
        log::debug!(target: "stock", "left out by the filter");
        // The core's own messages are not part of a request.
        log::warn!(target: "opentracing_http", "spans lost so far: 1");
    });
    let expected = fields([
        ("event", "nearly empty".into()),
        ("target", "stock".into()),
        ("level", "WARN".into()),
    ]);
    assert_eq!(log(&spans[0]), expected);
}

#[test]
fn event_after_the_end_of_its_span_is_a_late_change() {
    let tracing = HttpTracing::new(InMemoryTracer::new());
    traced_with(&tracing, SpanLayer::new(), || {
        let job = tracing.span("job").start();
        let handle = (*job).clone();
        job.finish();
        handle.in_scope(|| {
            info!("late");
            error!("late, too");
        });
    });
    assert_eq!(tracing.late_changes(), 2);
}
