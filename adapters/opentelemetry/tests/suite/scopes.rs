//! OpenTelemetry's current context within scopes of this library, and this library's spans within scopes of
//! OpenTelemetry.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{
    self as theirs, Span as _, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
    get_active_span,
};
use opentelemetry::{Array, Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;
use opentracing_http::report::otel::{self, OtelSpan};
use opentracing_http::sampler::Never;
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    Baggage, HttpTracing, InMemoryTracer, NoopTracer, OwnedSpan, Span, SpanContext, TraceFlags,
    Tracer,
};
use opentracing_opentelemetry::{OpenTelemetryScopes, from_context, to_context, to_opentelemetry};

use crate::received::{Received, ids};

/// The id of the active span of OpenTelemetry's current context; nothing where none is valid.
fn active() -> Option<String> {
    get_active_span(|span| {
        let context = span.span_context();
        context.is_valid().then(|| context.span_id().to_string())
    })
}

fn id(span: &Span) -> Option<String> {
    Some(span.context()?.span_id().to_string())
}

fn policy(tracer: impl Tracer + 'static) -> HttpTracing {
    let policy = HttpTracing::builder(tracer).scope_hook(OpenTelemetryScopes::new());
    policy.build().unwrap()
}

fn spans<const N: usize>() -> [OwnedSpan; N] {
    let tracing = policy(InMemoryTracer::new());
    std::array::from_fn(|n| tracing.span(format!("{n}")).root().start())
}

fn sdk() -> (SdkTracer, Received) {
    let received = Received::default();
    (received.provider().tracer("app"), received)
}

/// A context of OpenTelemetry's that is not of a span of this library.
fn foreign(span_id: u64) -> Context {
    let context = theirs::SpanContext::new(
        0xabc_u128.into(),
        span_id.into(),
        theirs::TraceFlags::SAMPLED,
        false,
        theirs::TraceState::NONE,
    );
    Context::current().with_remote_span_context(context)
}

#[test]
fn span_of_the_sdk_within_a_scope_is_a_child_of_our_span() {
    let (tracer, received) = sdk();
    let memory = InMemoryTracer::new();
    let span = policy(memory.clone()).span("ours").start();
    span.in_scope(|| tracer.start("theirs").end());
    tracer.start("after").end();
    span.finish();

    let ours = memory.take().remove(0);
    let [theirs, after] = &received.take()[..] else {
        panic!("two spans");
    };
    let trace_id = theirs.span_context.trace_id().to_string();
    assert_eq!((trace_id, theirs.parent_span_id.to_string()), ids(&ours));
    assert!(theirs.span_context.is_sampled() && !theirs.parent_span_is_remote);
    assert_eq!(after.parent_span_id, theirs::SpanId::INVALID);
}

#[test]
fn innermost_scope_is_shown_and_the_outer_one_after_it() {
    let [a, b] = spans();
    assert_eq!(active(), None);
    a.in_scope(|| {
        assert_eq!(active(), id(&a));
        b.in_scope(|| assert_eq!(active(), id(&b)));
        assert_eq!(active(), id(&a));
        a.in_scope(|| assert_eq!(active(), id(&a)));
        assert_eq!(active(), id(&a));
    });
    assert_eq!(active(), None);
}

#[test]
fn panic_in_a_scope_brings_back_what_was_shown_before() {
    let [a, b] = spans();
    a.in_scope(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            b.in_scope(|| std::panic::resume_unwind(Box::new("as asked for")))
        }));
        assert!(panicked.is_err());
        assert_eq!(active(), id(&a));
    });
    assert_eq!(active(), None);
}

/// Guards of both kinds, entered and dropped in every order that a generator of numbers comes up with.
#[test]
fn innermost_guard_that_is_left_is_shown_whatever_the_order() {
    enum Guard<'a> {
        Ours(#[allow(dead_code)] opentracing_http::scope::Entered<&'a Span>),
        Theirs(#[allow(dead_code)] opentelemetry::ContextGuard),
    }

    let all = spans::<200>();
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        // Knuth's generator (MMIX); its high bits are good.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005);
        seed = seed.wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for round in 0..300 {
        let mut left: Vec<(Option<String>, Guard<'_>)> = Vec::new();
        let mut fresh = all.iter();
        for step in 0..30 {
            if left.is_empty() || random(5) < 3 {
                let span = fresh.next().unwrap();
                left.push(match random(3) {
                    0 => {
                        let context = foreign(step + 1);
                        let shown = context.span().span_context().span_id().to_string();
                        (Some(shown), Guard::Theirs(context.attach()))
                    }
                    _ => (id(span), Guard::Ours(span.enter())),
                });
            } else {
                drop(left.remove(random(left.len())));
            }
            let innermost = left.last().and_then(|(shown, _)| shown.clone());
            assert_eq!(active(), innermost, "round {round}, step {step}");
            let ours = left.iter().rev();
            let ours = ours.filter(|(_, guard)| matches!(guard, Guard::Ours(_)));
            let current = ours.clone().next().and_then(|(shown, _)| shown.clone());
            assert_eq!(id(&Span::current()), current, "round {round}, step {step}");
        }
        while !left.is_empty() {
            drop(left.remove(random(left.len())));
        }
        assert_eq!(active(), None, "round {round}");
    }
}

#[test]
fn forgotten_guard_ends_with_the_scope_round_it() {
    let [a, b, c] = spans();
    let mut outlives = None;
    a.in_scope(|| {
        std::mem::forget(b.enter());
        outlives = Some(c.enter());
        assert_eq!(active(), id(&c));
    });
    assert_eq!(active(), None);
    drop(outlives);
    assert_eq!(active(), None);

    let mut cx = TaskContext::from_waker(Waker::noop());
    let mut future = Box::pin((*a).scope(poll_fn(|_| {
        assert_eq!(active(), id(&a));
        std::mem::forget(b.enter());
        Poll::<()>::Pending
    })));
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert_eq!(active(), None);
    }
}

#[test]
fn guard_of_theirs_that_outlives_a_scope_is_not_shown_in_the_next_one() {
    let [a, b] = spans();
    let mut outlives = None;
    a.in_scope(|| outlives = Some(foreign(7).attach()));
    assert_eq!(active().as_deref(), Some("0000000000000007"));
    b.in_scope(|| assert_eq!(active(), id(&b)));
    assert_eq!(active().as_deref(), Some("0000000000000007"));
    drop(outlives);
    assert_eq!(active(), None);
    b.in_scope(|| assert_eq!(active(), id(&b)));
    assert_eq!(active(), None);
}

#[test]
fn thread_may_end_with_a_forgotten_guard() {
    let [a] = spans();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            std::mem::forget(a.enter());
            assert_eq!(active(), id(&a));
        });
        thread.join().unwrap();
    });
}

#[test]
fn interleaved_futures_on_one_thread_show_their_own_spans() {
    let [a, b] = spans();
    let check = |span: &OwnedSpan| {
        let expected = id(span);
        (**span).scope(async move {
            for _ in 0..20 {
                assert_eq!(active(), expected);
                let mut polled = false;
                poll_fn(|_| match std::mem::replace(&mut polled, true) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .await;
            }
        })
    };
    let (mut first, mut second) = (pin!(check(&a)), pin!(check(&b)));
    let mut cx = TaskContext::from_waker(Waker::noop());
    for _ in 0..20 {
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(active(), None);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(active(), None);
    }
    assert!(first.poll(&mut cx).is_ready() && second.poll(&mut cx).is_ready());
}

#[test]
fn span_that_is_not_recorded_is_shown_with_the_flag_0() {
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .sampler(Never)
        .scope_hook(OpenTelemetryScopes::new())
        .build()
        .unwrap();
    let (tracer, received) = sdk();
    let span = tracing.span("dropped").start();
    span.in_scope(|| {
        let below = tracer.start("below");
        let context = below.span_context();
        let ours = span.context().unwrap();
        assert_eq!(context.trace_id().to_string(), ours.trace_id().to_string());
        assert!(!context.is_sampled());
        get_active_span(|span| {
            assert!(!span.is_recording());
            span.set_attribute(KeyValue::new("lost", true));
        });
    });
    assert_eq!(received.take().len(), 0);
}

#[test]
fn request_that_is_not_traced_shows_its_callers_context_and_without_one_nothing_new() {
    let tracing = policy(NoopTracer);
    let server = Instrumentation::new(&tracing, "test");
    let request = |traceparent: Option<&str>| {
        let mut request = http::Request::get("/");
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        server.begin(&request.body(()).unwrap())
    };
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request(Some(caller)).scope(|| {
        get_active_span(|span| {
            let context = span.span_context();
            assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
            assert!(context.is_sampled());
        });
    });
    request(None).scope(|| assert_eq!(active(), None));
    let [outer] = spans();
    outer.in_scope(|| {
        request(Some(caller)).scope(|| {
            request(Some(caller)).scope(|| {
                assert_eq!(active().as_deref(), Some("00f067aa0ba902b7"));
            });
            assert_eq!(active().as_deref(), Some("00f067aa0ba902b7"));
        });
        assert_eq!(active(), id(&outer));
    });
    // A middleware of theirs may trace what ours does not.
    let _theirs = foreign(7).attach();
    request(None).scope(|| assert_eq!(active().as_deref(), Some("0000000000000007")));
    assert_eq!(active().as_deref(), Some("0000000000000007"));
}

#[test]
fn what_is_done_to_the_active_span_is_done_to_ours() {
    let memory = InMemoryTracer::new();
    let span = policy(memory.clone()).span("before").start();
    let tags = [
        KeyValue::new("text", "x"),
        KeyValue::new("count", 3),
        KeyValue::new("share", 0.5),
        KeyValue::new("yes", true),
        KeyValue::new("list", Value::Array(Array::I64(vec![1, 2]))),
    ];
    span.in_scope(|| {
        get_active_span(|active| {
            assert!(active.is_recording());
            active.set_attributes(tags.clone());
            active.set_attribute(KeyValue::new("count", 4));
            active.add_event("cache miss", vec![KeyValue::new("key", "7")]);
            active.record_error(&std::fmt::Error);
            active.set_status(Status::error("no luck"));
            active.update_name("after");
            active.add_link(theirs::SpanContext::NONE, Vec::new());
            active.end();
        });
        assert!(span.is_recording());
    });
    let handle = to_context(&span);
    span.finish();
    let late = handle.span();
    assert!(!late.is_recording());
    late.set_attribute(KeyValue::new("late", true));

    let finished = memory.take().remove(0);
    assert_eq!(finished.name(), "after");
    assert_eq!(finished.tag("count").unwrap().as_i64(), Some(4));
    assert_eq!(finished.tag("text").unwrap().as_str(), Some("x"));
    assert_eq!(finished.tag("list").unwrap().as_str(), Some("[1,2]"));
    assert_eq!(finished.tag("yes").unwrap().as_bool(), Some(true));
    assert_eq!(finished.tag("late"), None);
    assert_eq!(
        finished.tag("otel.status_description").unwrap().as_str(),
        Some("no luck")
    );
    assert!(finished.is_error());
    let span = OtelSpan::of(&finished);
    let events: Vec<_> = span.events.iter().map(|event| &*event.name).collect();
    assert_eq!(events, ["cache miss", "exception"]);
    assert_eq!(span.events[0].attributes[0].key, "key");
    assert_eq!(span.events[1].attributes[0].key, "exception.message");
    assert!(matches!(span.status, otel::Status::Error(_)));
}

#[test]
fn status_ok_says_that_a_span_has_not_failed() {
    let memory = InMemoryTracer::new();
    let span = policy(memory.clone()).span("work").start();
    span.set_tag("error", true);
    span.in_scope(|| get_active_span(|active| active.set_status(Status::Ok)));
    span.finish();
    assert!(!memory.take().remove(0).is_error());
}

/// A value of the application's own in OpenTelemetry's context.
#[derive(Debug, PartialEq)]
struct Tenant(&'static str);

#[test]
fn other_values_of_the_context_stay_visible_in_our_scopes() {
    let [a, b] = spans();
    let tenant = || Context::current().get::<Tenant>().map(|tenant| tenant.0);
    let _outer = Context::current_with_value(Tenant("blue")).attach();
    a.in_scope(|| {
        assert_eq!(tenant(), Some("blue"));
        let _inner = Context::current_with_value(Tenant("red")).attach();
        assert_eq!(active(), id(&a));
        for span in [&a, &b] {
            span.in_scope(|| assert_eq!((active(), tenant()), (id(span), Some("red"))));
        }
    });
    assert_eq!((active(), tenant()), (None, Some("blue")));
}

#[test]
fn baggage_is_shown_where_it_is_asked_for() {
    let baggage = |key: &str| {
        Context::map_current(|context| context.baggage().get(key).map(ToString::to_string))
    };
    for is_asked_for in [false, true] {
        let hook = match is_asked_for {
            true => OpenTelemetryScopes::new().with_baggage(),
            false => OpenTelemetryScopes::new(),
        };
        let policy = HttpTracing::builder(InMemoryTracer::new()).scope_hook(hook);
        let span = policy.build().unwrap().span("work").start();
        span.set_baggage_item("tenant", "blue");
        let theirs = Context::current().with_baggage([KeyValue::new("user", "ada")]);
        let _guard = theirs.attach();
        span.in_scope(|| {
            assert_eq!(baggage("user").as_deref(), Some("ada"));
            let expected = is_asked_for.then_some("blue");
            assert_eq!(baggage("tenant").as_deref(), expected);
        });
        assert_eq!(baggage("tenant"), None);
        let context = to_context(&span);
        assert_eq!(context.baggage().len(), 2, "in one that is asked for");
    }
}

#[test]
fn active_span_of_theirs_is_the_parent_of_ours_where_none_of_ours_is_current() {
    let memory = InMemoryTracer::new();
    let tracing = policy(memory.clone());
    let (tracer, _received) = sdk();
    let theirs = Context::new()
        .with_span(tracer.start("theirs"))
        .with_baggage([KeyValue::new("tenant", "blue")]);
    let expected = from_context(&theirs).unwrap();
    {
        let _guard = theirs.clone().attach();
        let span = tracing.span("ours").start();
        assert_eq!(span.baggage_item("tenant").as_deref(), Some("blue"));
        span.in_scope(|| tracing.span("below ours").start().finish());
        span.finish();
        tracing.span("root").root().start().finish();
    }
    tracing.span("after").start().finish();
    let spans = memory.take();
    let [below, ours, root, after] = [0, 1, 2, 3].map(|n| &spans[n]);
    assert_eq!(ours.parent_id(), Some(expected.span_id()));
    assert_eq!(ours.context().trace_id(), expected.trace_id());
    assert_eq!(below.parent_id(), Some(ours.context().span_id()));
    assert_eq!((root.parent_id(), after.parent_id()), (None, None));
}

#[test]
fn context_of_theirs_carries_our_span_into_a_task() {
    let memory = InMemoryTracer::new();
    let tracing = policy(memory.clone());
    let span = tracing.span("request").start();
    let task = span.in_scope(|| {
        let tracing = tracing.clone();
        async move { tracing.span("in the task").start().finish() }.with_current_context()
    });
    let thread = std::thread::spawn(|| {
        let mut cx = TaskContext::from_waker(Waker::noop());
        assert!(pin!(task).poll(&mut cx).is_ready());
    });
    thread.join().unwrap();
    let parent = span.context().unwrap().span_id();
    assert_eq!(memory.take()[0].parent_id(), Some(parent));
}

#[test]
fn span_of_ours_is_not_the_ambient_parent_of_what_starts_in_an_empty_scope() {
    let memory = InMemoryTracer::new();
    let tracing = policy(memory.clone());
    let span = tracing.span("current").start();
    span.in_scope(|| {
        Span::none().in_scope(|| tracing.span("root").start().finish());
    });
    assert_eq!(memory.take()[0].parent_id(), None);
}

#[test]
fn scope_entered_while_their_context_is_borrowed_is_not_shown_and_harms_no_other() {
    let tracing = policy(InMemoryTracer::new());
    let [a, b] = ["a", "b"].map(|name| tracing.span(name).root().start());
    a.in_scope(|| {
        Context::map_current(|_| {
            b.in_scope(|| assert_eq!(id(&Span::current()), id(&b)));
            a.in_scope(|| ());
        });
        assert_eq!(active(), id(&a));
    });
    assert_eq!(active(), None);
    assert_eq!(tracing.caught_panics(), 2);
}

#[test]
fn deferred_decision_is_shown_as_not_sampled() {
    let context = SpanContext::new(
        "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(),
        "00f067aa0ba902b7".parse().unwrap(),
        TraceFlags::DEFERRED,
    );
    assert!(!to_opentelemetry(&context).is_sampled());
    let mut baggage = Baggage::new();
    baggage.set("a", "b");
    let tracing = policy(NoopTracer);
    let context = context.with_baggage(baggage);
    let span = tracing.span("passed on").child_of(context).start();
    assert_eq!(to_context(&span).baggage().len(), 1);
}
