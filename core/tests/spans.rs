//! Spans and their handles: what is recorded, what is limited, what is propagated.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use opentracing_http::report::ReferenceKind;
use opentracing_http::values::TagWriter;
use opentracing_http::{
    Baggage, Clock, FinishedSpan, HttpTracing, InMemoryTracer, Limits, LogFields, NoopTracer, Span,
    SpanContext, SpanId, TraceFlags, TraceId, Tracer, Value,
};

fn tracing() -> (InMemoryTracer, HttpTracing) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), HttpTracing::new(tracer))
}

fn elsewhere(flags: TraceFlags) -> SpanContext {
    SpanContext::new(
        TraceId::new(0xabc).unwrap(),
        SpanId::new(0xdef).unwrap(),
        flags,
    )
}

fn only(tracer: &InMemoryTracer) -> FinishedSpan {
    let mut spans = tracer.take();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

#[test]
fn wrong_options_are_errors_that_name_the_option() {
    let mut limits = Limits::default();
    limits.tags = 0;
    for (wrong, option, remedy) in [
        (
            HttpTracing::builder(NoopTracer).skip("health"),
            "skip",
            "slash",
        ),
        (
            HttpTracing::builder(NoopTracer).attribute_names(["ulr"]),
            "attribute_names",
            "url",
        ),
        (
            HttpTracing::builder(NoopTracer).limits(limits),
            "limits",
            "tags",
        ),
        (
            HttpTracing::builder(NoopTracer).forwarded(opentracing_http::Forwarded::hops(0)),
            "forwarded",
            "nobody",
        ),
    ] {
        let error = wrong.build().unwrap_err();
        assert_eq!(error.option(), option);
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

#[test]
fn a_span_ends_once_and_its_handles_outlive_it() {
    let (tracer, tracing) = tracing();
    let owned = tracing.span("work").start();
    let span = (*owned).clone();
    assert!(span.is_recording());
    owned.finish();
    assert!(!span.is_recording());
    span.set_tag("late", true);
    span.set_name("late");
    span.log("late");
    span.set_baggage_item("late", "baggage goes on");
    let context = span.context().unwrap();
    let mut headers = Vec::new();
    span.inject(&mut headers);
    assert!(headers.iter().any(|(name, _)| name == "traceparent"));
    span.child("background").finish();
    span.follower("cleanup").finish();

    let spans = tracer.finished();
    assert_eq!(
        (
            spans[0].name(),
            spans[0].tags().len(),
            spans[0].logs().len()
        ),
        ("work", 0, 0)
    );
    for (span, kind) in [
        (&spans[1], ReferenceKind::ChildOf),
        (&spans[2], ReferenceKind::FollowsFrom),
    ] {
        assert_eq!(span.parent_id(), Some(context.span_id()));
        assert_eq!(span.references().next().unwrap().kind, kind);
        assert_eq!(span.baggage().get("late"), Some("baggage goes on"));
    }
    tracer.assert_nothing_unfinished();
}

#[test]
fn handles_of_an_unrecorded_span_share_what_is_set_later() {
    let (_, tracing) = tracing();
    let unsampled = tracing
        .span("work")
        .child_of(elsewhere(TraceFlags::NOT_SAMPLED))
        .start();
    unsampled.in_scope(|| {
        let (first, second) = (Span::current(), Span::current());
        first.set_baggage_item("user", "ada");
        assert_eq!(second.baggage_item("user").as_deref(), Some("ada"));
        second.set_baggage_item("role", "admin");
        let current = Span::current().context().unwrap();
        assert_eq!(
            (current.baggage().get("user"), current.baggage().get("role")),
            (Some("ada"), Some("admin"))
        );
    });
    assert_eq!(unsampled.baggage_item("user").as_deref(), Some("ada"));
}

#[test]
fn baggage_that_came_is_passed_on_by_the_noop_tracer() {
    let tracing = HttpTracing::new(NoopTracer);
    let mut baggage = Baggage::new();
    baggage.set("user", "ada");
    let context = elsewhere(TraceFlags::SAMPLED).with_baggage(baggage);
    let span = tracing.span("work").child_of(context.clone()).start();
    assert_eq!(span.context(), Some(context));
    assert!(!span.is_recording());
}

#[test]
fn the_empty_span_accepts_everything() {
    let span = Span::none();
    span.set_tag("a", 1);
    span.log("x");
    span.set_baggage_item("a", "b");
    span.set_name("y");
    span.set_tags([("a", 1)]);
    assert_eq!(
        (span.context(), span.baggage_item("a"), span.is_recording()),
        (None, None, false)
    );
    let mut headers = Vec::new();
    span.inject(&mut headers);
    assert!(headers.is_empty());
    assert!(span.child("z").is_none() && span.follower("z").is_none());
    span.in_scope(|| assert!(Span::current().is_none()));
}

#[test]
fn a_tracer_that_panics_harms_no_one() {
    struct Broken;
    impl Tracer for Broken {
        fn started(&self, _: &Span) {
            panic!("broken");
        }
        fn report(&self, _: FinishedSpan) {
            panic!("broken");
        }
    }
    let tracing = HttpTracing::new(Broken);
    tracing.span("work").start().finish();
    assert_eq!(tracing.caught_panics(), 2);
}

#[test]
fn handles_are_send_sync_and_small() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Span>();
    shared::<FinishedSpan>();
    shared::<HttpTracing>();
    assert!(size_of::<Span>() <= 96, "{}", size_of::<Span>());
    assert_eq!(size_of::<FinishedSpan>(), size_of::<usize>());
    assert_eq!(size_of::<SpanContext>(), 48);
}

#[test]
fn children_propagate_what_the_noop_tracer_passes_through() {
    let tracing = HttpTracing::new(NoopTracer);
    for flags in [
        TraceFlags::SAMPLED,
        TraceFlags::NOT_SAMPLED,
        TraceFlags::DEFERRED,
    ] {
        let span = tracing.span("work").child_of(elsewhere(flags)).start();
        let child = span.child("part");
        assert!(!child.is_recording());
        assert_eq!(child.context(), Some(elsewhere(flags)));
    }
}

#[test]
fn baggage_of_an_unrecorded_child_stays_there() {
    let (_, tracing) = tracing();
    let span = tracing
        .span("work")
        .child_of(elsewhere(TraceFlags::NOT_SAMPLED))
        .start();
    span.in_scope(|| {
        let child = Span::current().child("part");
        child.set_baggage_item("user", "bob");
        assert_eq!(child.baggage_item("user").as_deref(), Some("bob"));
        assert_eq!(Span::current().baggage_item("user"), None);
    });
    assert_eq!(span.baggage_item("user"), None);
}

#[test]
fn threads_that_set_the_first_baggage_at_once_lose_none() {
    let tracing = HttpTracing::new(NoopTracer);
    for _ in 0..500 {
        let span = tracing
            .span("work")
            .child_of(elsewhere(TraceFlags::SAMPLED))
            .start();
        let (span, together) = (&*span, &Barrier::new(2));
        thread::scope(|scope| {
            for key in ["a", "b"] {
                scope.spawn(move || {
                    together.wait();
                    span.set_baggage_item(key, "1");
                });
            }
        });
        assert_eq!(span.context().unwrap().baggage().len(), 2);
    }
}

/// Uses the span while it is converted into a value that is set on that span.
struct Nosy(Span);

impl LogFields for Nosy {
    fn write(self, fields: &mut TagWriter<'_>) {
        self.0.set_tag("asked", true);
        fields.add("event", "asked");
    }
}

impl From<Nosy> for Cow<'static, str> {
    fn from(nosy: Nosy) -> Self {
        format!("{}", nosy.0.is_recording()).into()
    }
}

#[test]
fn values_may_use_the_span_that_they_are_set_on() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let (tracer, tracing) = tracing();
        let span = tracing.span("work").start();
        span.set_name(Nosy(span.clone()));
        span.log(Nosy(span.clone()));
        span.finish();
        let _ = done.send(only(&tracer));
    });
    let span = is_done.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((span.name(), span.logs().len()), ("true", 1));
    assert_eq!(span.tag("asked").unwrap().as_bool(), Some(true));
}

#[test]
fn size_of_a_span_counts_propagated_data() {
    let (tracer, tracing) = tracing();
    let mut baggage = Baggage::new();
    baggage.set("k", &"v".repeat(8000));
    let context = elsewhere(TraceFlags::SAMPLED).with_baggage(baggage);
    tracing
        .span("work")
        .child_of(context.clone())
        .start()
        .finish();
    let size = only(&tracer).size();
    assert!((8000..16000).contains(&size), "{size}");
    let span = tracing
        .span("work")
        .child_of(elsewhere(TraceFlags::SAMPLED));
    span.follows_from(context).start().finish();
    assert!(only(&tracer).size() > 8000);
}

#[test]
fn a_start_at_the_end_of_the_calendar_is_no_panic() {
    /// The time advances by an hour with each call.
    #[derive(Debug, Default)]
    struct Hourly(AtomicU64);
    impl Clock for Hourly {
        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(3600 * self.0.fetch_add(1, Ordering::Relaxed))
        }
    }
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .clock(Hourly::default())
        .build()
        .unwrap();
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(i64::MAX as u64);
    if end.checked_add(Duration::from_secs(1)).is_some() {
        return; // This system's calendar is longer.
    }
    let span = tracing.span("work").start_time(end).start();
    span.log("late");
    span.child("part").finish();
    span.finish();
    assert!(tracer.take().iter().all(|span| span.end() >= span.start()));
}

#[test]
fn values_are_read_as_what_they_are() {
    let [text, truth, whole, broken] = [
        Value::from("1"),
        Value::from(false),
        Value::from(42),
        Value::from(0.5),
    ];
    assert_eq!(text.as_str(), Some("1"));
    assert_eq!((text.as_i64(), text.as_bool()), (None, None));
    assert_eq!(truth.as_bool(), Some(false));
    assert_eq!((truth.as_str(), truth.as_i64()), (None, None));
    assert_eq!(whole.as_i64(), Some(42));
    assert_eq!((whole.as_str(), whole.as_bool()), (None, None));
    assert_eq!((broken.as_str(), broken.as_i64()), (None, None));
    assert!(text == "1" && text != "2" && whole != "42");
    let shown = [text, truth, whole, broken].map(|value| value.to_string());
    assert_eq!(shown, ["1", "false", "42", "0.5"]);
}

#[test]
fn a_log_beyond_the_limit_is_not_created() {
    struct Made<'a>(&'a AtomicU64);

    impl LogFields for Made<'_> {
        fn write(self, fields: &mut TagWriter<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            fields.add("event", "made");
        }
    }

    let made = AtomicU64::new(0);
    let mut limits = Limits::default();
    limits.logs = 1;
    let policy = HttpTracing::builder(InMemoryTracer::new()).limits(limits);
    let span = policy.build().unwrap().span("work").start();
    let handle = (*span).clone();
    for _ in 0..3 {
        span.log(Made(&made));
    }
    span.finish();
    handle.log(Made(&made));
    handle.log_at(SystemTime::UNIX_EPOCH, Made(&made));
    assert_eq!(made.into_inner(), 1);
}
