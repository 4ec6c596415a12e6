//! Spans and their handles: what is kept, what is bounded, what travels.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use opentracing_http::{
    Baggage, Clock, FinishedSpan, HttpTracing, InMemoryTracer, Limits, LogFields, NoopTracer,
    ReferenceKind, Span, SpanContext, SpanId, SpanKind, Tag, TraceFlags, TraceId, Tracer, Value,
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
fn tags_keep_their_types_and_the_last_write_wins() {
    let (tracer, tracing) = tracing();
    let span = tracing.span("work").tag("n", 1).start();
    span.set_tag("text", "static")
        .set_tag("owned", String::from("owned"))
        .set_tag("truth", true)
        .set_tag("n", i64::MAX)
        .set_tags([Tag::new("share", 0.5), Tag::new("truth", false)]);
    span.finish();
    let span = only(&tracer);
    let tags = [
        ("n", Value::I64(i64::MAX)),
        ("text", "static".into()),
        ("owned", String::from("owned").into()),
        ("truth", false.into()),
        ("share", 0.5.into()),
    ];
    assert_eq!(span.tags(), tags.map(Tag::from));
}

#[test]
fn the_last_write_wins_among_tags_that_are_set_at_once() {
    let (tracer, tracing) = tracing();
    let span = tracing.span("work").start();
    span.set_tags([("a", 1), ("b", 2), ("a", 3)])
        .set_tags([("b", 4), ("c", 5)]);
    span.finish();
    let tags = [("a", 3), ("b", 4), ("c", 5)];
    assert_eq!(only(&tracer).tags(), tags.map(Tag::from));
}

#[test]
fn logs_keep_order_fields_and_time() {
    let (tracer, tracing) = tracing();
    let before = SystemTime::now();
    let span = tracing.span("work").start();
    span.log("first")
        .log([Tag::new("event", "second"), Tag::new("attempt", 2)]);
    span.log_at(SystemTime::UNIX_EPOCH, [("event", "long ago")]);
    span.finish();
    let logs = only(&tracer).logs();
    assert_eq!(logs[0].fields, [Tag::new("event", "first")]);
    assert_eq!(logs[1].fields[1], Tag::new("attempt", 2));
    assert!(
        logs[0].time >= before && logs[0].time <= logs[1].time && logs[1].time <= SystemTime::now()
    );
    assert_eq!(logs[2].time, SystemTime::UNIX_EPOCH);
}

#[test]
fn an_error_is_tagged_and_logged_with_its_cause() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no number")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let (tracer, tracing) = tracing();
    let span = tracing.span("work").start();
    span.error(&Outer("x".parse::<i32>().unwrap_err()));
    span.finish();
    let span = only(&tracer);
    assert!(span.is_error());
    assert_eq!(span.tag("error"), Some(true.into()));
    let fields = &span.logs()[0].fields;
    assert_eq!(fields[0], Tag::new("event", "error"));
    assert_eq!(fields[1], Tag::new("message", "no number"));
    assert_eq!(fields[2].key, "error.cause");
}

#[test]
fn what_goes_over_the_limits_is_counted() {
    let tracer = InMemoryTracer::new();
    let mut limits = Limits::default();
    (
        limits.tags,
        limits.logs,
        limits.log_fields,
        limits.references,
        limits.value_bytes,
    ) = (2, 1, 1, 1, 5);
    let tracing = HttpTracing::builder(tracer.clone())
        .limits(limits)
        .build()
        .unwrap();
    let span = tracing
        .span("work")
        .child_of(elsewhere(TraceFlags::SAMPLED))
        .follows_from(elsewhere(TraceFlags::SAMPLED))
        .follows_from(elsewhere(TraceFlags::SAMPLED))
        .start();
    // Two bytes a letter: it is cut between letters.
    span.set_tag("a", "äöü")
        .set_tag("b", 1)
        .set_tag("c", 1)
        .set_tag("b", 2);
    span.log([("event", "x"), ("more", "y")]).log("z");
    span.finish();
    let span = only(&tracer);
    assert_eq!(span.tag("a"), Some("äö".into()));
    assert_eq!(span.tag("b"), Some(2.into()));
    let omitted = span.omitted();
    assert_eq!(
        (
            omitted.tags,
            omitted.logs,
            omitted.log_fields,
            omitted.references,
            omitted.cut_values
        ),
        (1, 1, 1, 1, 1)
    );
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
    span.set_tag("late", true)
        .set_name("late")
        .log("late")
        .set_baggage("late", "baggage goes on");
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
fn dropping_a_span_ends_it_also_while_a_panic_unwinds() {
    let (tracer, tracing) = tracing();
    let panicked = std::panic::catch_unwind(|| {
        let _span = tracing.span("work").start();
        panic!("as asked for");
    });
    assert!(panicked.is_err());
    assert_eq!(only(&tracer).name(), "work");
}

#[test]
fn times_can_be_given() {
    let (tracer, tracing) = tracing();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    tracing
        .span("import")
        .start_time(start)
        .start()
        .finish_at(start + Duration::from_secs(5));
    let span = only(&tracer);
    assert_eq!(
        (span.start(), span.end(), span.duration()),
        (
            start,
            start + Duration::from_secs(5),
            Duration::from_secs(5)
        )
    );

    tracing
        .span("backwards")
        .start_time(start)
        .start()
        .finish_at(SystemTime::UNIX_EPOCH);
    assert_eq!(only(&tracer).duration(), Duration::ZERO);

    tracing.span("until now").start_time(start).start().finish();
    assert!(only(&tracer).end() > start + Duration::from_secs(1));

    let ahead = SystemTime::now() + Duration::from_secs(3600);
    tracing
        .span("from later on")
        .start_time(ahead)
        .start()
        .finish();
    let span = only(&tracer);
    assert!(span.end() >= span.start());
}

#[test]
fn a_child_shares_its_parents_lot() {
    let (tracer, tracing) = tracing();
    let unsampled = tracing
        .span("work")
        .child_of(elsewhere(TraceFlags::NOT_SAMPLED))
        .start();
    assert!(!unsampled.is_recording());
    let child = unsampled.child("part");
    assert!(!child.is_recording());
    assert_eq!(
        child.context().unwrap().trace_id(),
        elsewhere(TraceFlags::NOT_SAMPLED).trace_id()
    );
    assert!(!child.context().unwrap().flags().is_sampled());
    drop((child, unsampled));
    assert!(tracer.finished().is_empty());

    let deferred = tracing
        .span("work")
        .child_of(elsewhere(TraceFlags::DEFERRED))
        .start();
    assert!(deferred.is_recording() && deferred.context().unwrap().flags().is_sampled());
}

#[test]
fn sampling_priority_is_obeyed_at_the_start_and_later() {
    let (tracer, tracing) = tracing();
    assert!(
        !tracing
            .span("unimportant")
            .tag("sampling.priority", 0)
            .start()
            .is_recording()
    );

    let span = tracing
        .span("important")
        .child_of(elsewhere(TraceFlags::NOT_SAMPLED));
    assert!(span.tag("sampling.priority", 1).start().is_recording());
    assert_eq!(only(&tracer).name(), "important");

    let span = tracing.span("turned off").start();
    span.set_tag("sampling.priority", 0);
    assert!(!span.context().unwrap().flags().is_sampled());
    drop(span);
    assert!(tracer.take().is_empty());
    tracer.assert_nothing_unfinished();

    let span = tracing
        .span("turned on")
        .child_of(elsewhere(TraceFlags::NOT_SAMPLED))
        .start();
    span.set_tag("sampling.priority", 1);
    assert!(span.context().unwrap().flags().is_sampled());
    span.child("recorded from here").finish();
    drop(span);
    assert_eq!(only(&tracer).name(), "recorded from here");

    let span = tracing.span("neither text nor truth").start();
    span.set_tag("sampling.priority", "0")
        .set_tag("sampling.priority", false);
    drop(span);
    assert_eq!(tracer.take().len(), 1);
}

#[test]
fn baggage_reaches_children_and_stays_where_it_was_set() {
    let (tracer, tracing) = tracing();
    let parent = tracing.span("parent").start();
    parent.set_baggage("user", "ada");
    let child = parent.child("child");
    child
        .set_baggage("user", "bob")
        .set_baggage("not a token", "x");
    assert_eq!(
        (
            parent.baggage("user").as_deref(),
            child.baggage("user").as_deref()
        ),
        (Some("ada"), Some("bob"))
    );
    drop(child);
    assert_eq!(only(&tracer).baggage().len(), 1);
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
        first.set_baggage("user", "ada");
        assert_eq!(second.baggage("user").as_deref(), Some("ada"));
        second.set_baggage("role", "admin");
        let current = Span::current().context().unwrap();
        assert_eq!(
            (current.baggage().get("user"), current.baggage().get("role")),
            (Some("ada"), Some("admin"))
        );
    });
    assert_eq!(unsampled.baggage("user").as_deref(), Some("ada"));
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
    span.set_tag("a", 1)
        .log("x")
        .set_baggage("a", "b")
        .set_name("y")
        .set_tags([("a", 1)]);
    assert_eq!(
        (span.context(), span.baggage("a"), span.is_recording()),
        (None, None, false)
    );
    let mut headers = Vec::new();
    span.inject(&mut headers);
    assert!(headers.is_empty());
    assert!(span.child("z").is_none() && span.follower("z").is_none());
    span.in_scope(|| assert!(Span::current().is_none()));
}

#[test]
fn kinds_are_told() {
    let (tracer, tracing) = tracing();
    tracing.span("call").kind(SpanKind::Client).start().finish();
    assert_eq!(only(&tracer).tags(), [Tag::new("span.kind", "client")]);
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
fn what_the_noop_tracer_passes_on_a_child_passes_on_too() {
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
        child.set_baggage("user", "bob");
        assert_eq!(child.baggage("user").as_deref(), Some("bob"));
        assert_eq!(Span::current().baggage("user"), None);
    });
    assert_eq!(span.baggage("user"), None);
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
                    span.set_baggage(key, "1");
                });
            }
        });
        assert_eq!(span.context().unwrap().baggage().len(), 2);
    }
}

/// Uses the span while it is turned into what is to be set on it.
struct Nosy(Span);

impl LogFields for Nosy {
    fn into_fields(self) -> impl Iterator<Item = Tag> {
        std::iter::once_with(move || {
            self.0.set_tag("asked", true);
            Tag::new("event", "asked")
        })
    }
}

impl From<Nosy> for Cow<'static, str> {
    fn from(nosy: Nosy) -> Self {
        format!("{}", nosy.0.is_recording()).into()
    }
}

#[test]
fn what_is_set_on_a_span_may_look_at_it() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let (tracer, tracing) = tracing();
        let span = tracing.span("work").start();
        span.set_name(Nosy(span.clone())).log(Nosy(span.clone()));
        span.finish();
        let _ = done.send(only(&tracer));
    });
    let span = is_done.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((span.name(), span.logs().len()), ("true", 1));
    assert_eq!(span.tag("asked").unwrap().as_bool(), Some(true));
}

#[test]
fn a_spans_size_counts_what_travels_with_it() {
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
    /// An hour passes between any two looks.
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
    span.log("late").child("part").finish();
    span.finish();
    assert!(tracer.take().iter().all(|span| span.end() >= span.start()));
}
