//! The current span within a scope and after it.

#![allow(clippy::unwrap_used)]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use opentracing_http::sampler::Never;
use opentracing_http::scope::ScopeHook;
use opentracing_http::server::{Instrumentation, SharedRequestSpan};
use opentracing_http::{
    FinishedSpan, HttpTracing, InMemoryTracer, OwnedSpan, Span, SpanContext, SpanId, TraceFlags,
    TraceId, Tracer,
};

fn spans() -> [OwnedSpan; 2] {
    let tracing = HttpTracing::new(InMemoryTracer::new());
    [
        tracing.span("a").root().start(),
        tracing.span("b").root().start(),
    ]
}

fn is_current(span: &Span) -> bool {
    Span::current().context() == span.context()
}

#[test]
fn no_span_is_current_by_default_and_none_on_a_new_thread() {
    assert!(Span::current().is_none());
    let [a, _] = spans();
    a.in_scope(|| {
        std::thread::scope(|scope| {
            scope
                .spawn(|| assert!(Span::current().is_none()))
                .join()
                .unwrap()
        })
    });
}

#[test]
fn a_scope_brings_back_what_was_before_also_by_a_panic() {
    let [a, b] = spans();
    let _entered = a.enter();
    b.in_scope(|| {
        assert!(is_current(&b));
        Span::none().in_scope(|| assert!(Span::current().is_none()));
        assert!(is_current(&b));
    });
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        b.in_scope(|| panic!("as asked for"))
    }));
    assert!(panicked.is_err() && is_current(&a));
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let [a, b] = spans();
    let tracing = HttpTracing::new(InMemoryTracer::new());
    let c = tracing.span("c").root().start();
    let (first, second, third) = (a.enter(), b.enter(), c.enter());
    drop(second);
    assert!(is_current(&c));
    drop(first);
    assert!(is_current(&c));
    drop(third);
    assert!(Span::current().is_none());
}

#[test]
fn a_guard_that_leaks_out_of_a_poll_ends_with_it() {
    let [a, b] = spans();
    {
        let guard = b.enter();
        a.in_scope(|| drop(guard));
    }
    assert!(Span::current().is_none() || is_current(&b));
    let mut guard = None;
    a.in_scope(|| guard = Some(b.enter()));
    drop(guard);
    a.in_scope(|| assert!(is_current(&a)));
}

#[test]
fn a_scoped_future_sees_its_span_in_every_poll_and_while_it_is_dropped() {
    struct SeenOnDrop(Arc<Mutex<Option<SpanId>>>);
    impl Drop for SeenOnDrop {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Span::current().context().map(|context| context.span_id());
        }
    }

    let [a, b] = spans();
    let seen = Arc::new(Mutex::new(None));
    let (on_drop, expected) = (SeenOnDrop(seen.clone()), a.context());
    let mut polls = 0;
    let mut future = Box::pin((*a).scope(async move {
        let _on_drop = on_drop;
        poll_fn(|_| {
            assert_eq!(Span::current().context(), expected);
            polls += 1;
            if polls == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        std::future::pending::<()>().await;
    }));
    let mut cx = Context::from_waker(Waker::noop());
    b.in_scope(|| {
        for _ in 0..3 {
            assert!(future.as_mut().poll(&mut cx).is_pending());
            assert!(is_current(&b));
        }
        drop(future);
    });
    assert_eq!(
        *seen.lock().unwrap(),
        a.context().map(|context| context.span_id())
    );
}

#[test]
fn interleaved_futures_keep_their_own_spans() {
    let [a, b] = spans();
    let check = |span: &OwnedSpan| {
        let expected = span.context();
        (**span).scope(async move {
            for _ in 0..20 {
                assert_eq!(Span::current().context(), expected);
                let mut polled = false;
                poll_fn(|_| {
                    if std::mem::replace(&mut polled, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            }
        })
    };
    let (first, second) = (pin!(check(&a)), pin!(check(&b)));
    let mut futures: [Option<Pin<&mut dyn Future<Output = ()>>>; 2] = [Some(first), Some(second)];
    let mut cx = Context::from_waker(Waker::noop());
    while futures.iter().any(Option::is_some) {
        for slot in &mut futures {
            if slot
                .as_mut()
                .is_some_and(|future| future.as_mut().poll(&mut cx).is_ready())
            {
                *slot = None;
            }
        }
    }
    assert!(Span::current().is_none());
}

#[test]
fn guards_of_every_kind_may_be_dropped_in_any_order() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let tracer = InMemoryTracer::new();
        let tracing = HttpTracing::new(tracer.clone());
        let span = |name| tracing.span(name).root().start();
        let (borrowed, shared, owned) = (span("borrowed"), span("shared"), span("owned"));
        let handles = [&*borrowed, &*shared, &*owned].map(Clone::clone);
        let mut guards: [Option<Box<dyn std::any::Any>>; 3] = [
            None,
            Some(Box::new((*shared).clone().entered())),
            Some(Box::new(owned.entered())),
        ];
        // It was entered last, so it is the innermost.
        let mut innermost = Some(borrowed.enter());
        let mut left = vec![1, 2, 0];
        for at in order {
            match at {
                0 => drop(innermost.take()),
                at => drop(guards[at].take()),
            }
            left.retain(|other| *other != at);
            match left.last() {
                Some(last) => assert!(is_current(&handles[*last]), "{order:?}"),
                None => assert!(Span::current().is_none(), "{order:?}"),
            }
        }
        assert_eq!(tracer.named("owned").len(), 1);
    }
}

#[test]
fn hooks_follow_guards_that_own_their_span() {
    let recorder = Recorder::default();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .scope_hook(recorder.clone())
        .build()
        .unwrap();
    drop(tracing.span("work").start().entered());
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(tracing.span("work").start().scope(async {}));
    assert!(future.as_mut().poll(&mut cx).is_ready());
    let seen = recorder.0.lock().unwrap();
    let exits = seen.iter().filter(|line| line.starts_with("exit")).count();
    assert_eq!((seen.len(), exits), (4, 2), "{seen:?}");
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl ScopeHook for Recorder {
    fn enter(&self, span: &Span) {
        let entered = span
            .hook_slot()
            .map(|slot| slot.get_or_init(|| Box::new(7_u8)).is::<u8>());
        self.0.lock().unwrap().push(format!("enter {entered:?}"));
    }

    fn exit(&self, span: &Span) {
        let current = Span::current().context() == span.context();
        self.0.lock().unwrap().push(format!("exit {current}"));
    }

    fn ambient_parent(&self) -> Option<SpanContext> {
        Some(SpanContext::new(
            TraceId::new(1)?,
            SpanId::new(2)?,
            TraceFlags::SAMPLED,
        ))
    }
}

#[test]
fn hooks_follow_every_scope_and_give_an_ambient_parent() {
    let (tracer, hook) = (InMemoryTracer::new(), Recorder::default());
    let tracing = HttpTracing::builder(tracer.clone())
        .scope_hook(hook.clone())
        .build()
        .unwrap();
    let span = tracing.span("work").start();
    span.in_scope(|| tracing.span("part").start().in_scope(|| {}));
    drop(span);
    let log = hook.0.lock().unwrap().clone();
    assert_eq!(
        log,
        [
            "enter Some(true)",
            "enter Some(true)",
            "exit true",
            "exit true"
        ]
    );
    let spans = tracer.finished();
    assert_eq!(spans[1].parent_id(), SpanId::new(2));
    assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
}

#[test]
fn baggage_set_in_an_inner_scope_of_a_span_that_is_not_recorded_reaches_the_outer_one() {
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .sampler(Never)
        .build()
        .unwrap();
    let span = tracing.span("unrecorded").start();
    let copy = Span::clone(&span);
    span.in_scope(|| {
        copy.in_scope(|| Span::current().set_baggage_item("user", "ada"));
        assert_eq!(Span::current().baggage_item("user").as_deref(), Some("ada"));
    });
    assert_eq!(span.baggage_item("user").as_deref(), Some("ada"));
}

#[test]
fn guards_may_be_dropped_within_other_scopes() {
    let [one, two] = spans();
    let guard = one.enter();
    two.in_scope(|| drop(guard));
    assert!(Span::current().is_none());

    let tracing = HttpTracing::new(InMemoryTracer::new());
    let request = http::Request::get("/").body(()).unwrap();
    let mut request = Instrumentation::new(&tracing, "test").begin(&request);
    let guard = one.enter();
    request.scope(|| drop(guard));
    assert!(Span::current().is_none());
}

/// A tracer that keeps no spans.
struct Forgetful;

impl Tracer for Forgetful {
    fn report(&self, _: FinishedSpan) {}
}

#[test]
fn many_guards_may_be_dropped_first_to_last_whatever_their_spans_do_when_dropped() {
    struct EntersAnother(Span);
    impl Drop for EntersAnother {
        fn drop(&mut self) {
            self.0.in_scope(|| ());
        }
    }

    let tracing = HttpTracing::new(Forgetful);
    let spans: Vec<Span> = (0..40)
        .map(|_| {
            let span = tracing.span("entered").root().start();
            let another = tracing.span("another").root().start();
            let _ = span
                .hook_slot()
                .unwrap()
                .set(Box::new(EntersAnother(another.clone())));
            span.clone()
        })
        .collect();
    let guards: Vec<_> = spans.iter().map(Span::enter).collect();
    drop(guards);
    assert!(Span::current().is_none());
}

#[test]
fn a_thread_keeps_nothing_of_guards_that_outlived_their_scope() {
    let tracing = HttpTracing::new(Forgetful);
    let alive = Arc::new(());
    let [outer, one, two] = std::array::from_fn(|_| {
        let span = tracing.span("entered").root().start();
        let _ = span.hook_slot().unwrap().set(Box::new(alive.clone()));
        span
    });
    {
        let mut late = None;
        outer.in_scope(|| {
            let first = one.enter();
            late = Some(two.enter());
            drop(first);
        });
        outer.in_scope(|| drop(late.take()));
        assert!(Span::current().is_none());
    }
    drop((outer, one, two));
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn guards_forgotten_in_a_scope_end_with_it_whatever_kind_it_is() {
    let [a, b] = spans();
    let forget = || std::mem::forget(b.enter());
    a.in_scope(forget);
    assert!(Span::current().is_none());

    let mut cx = Context::from_waker(Waker::noop());
    let mut future = Box::pin(a.scope(poll_fn(|_| {
        forget();
        Poll::<()>::Pending
    })));
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert!(Span::current().is_none());
    }
    drop(future);

    let tracing = HttpTracing::new(InMemoryTracer::new());
    let request = http::Request::get("/").body(()).unwrap();
    let mut request = Instrumentation::new(&tracing, "test").begin(&request);
    request.scope(forget);
    assert!(Span::current().is_none());
    let request = SharedRequestSpan::new(request);
    let scope = request.enter();
    forget();
    request.leave(scope);
    assert!(Span::current().is_none());
}

/// Guards held across awaits by tasks that take turns on one thread: entered one after the other, dropped in the same order.
#[test]
fn a_thread_is_free_again_when_many_tasks_that_misused_guards_have_ended() {
    let tracing = HttpTracing::new(Forgetful);
    let spans: Vec<Span> = (0..100)
        .map(|_| Span::clone(&tracing.span("task").root().start()))
        .collect();
    let mut guards: Vec<_> = spans.iter().map(Span::enter).collect();
    while !guards.is_empty() {
        drop(guards.remove(0));
        // Requests begin and end meanwhile.
        spans[7].in_scope(|| assert!(is_current(&spans[7])));
    }
    assert!(Span::current().is_none());
}

#[test]
fn hooks_see_forgotten_guards_left_once_and_in_order() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<(bool, SpanId)>>>);
    impl ScopeHook for Log {
        fn enter(&self, span: &Span) {
            let id = span.context().unwrap().span_id();
            self.0.lock().unwrap().push((true, id));
        }
        fn exit(&self, span: &Span) {
            assert!(is_current(span));
            let id = span.context().unwrap().span_id();
            self.0.lock().unwrap().push((false, id));
        }
    }

    let log = Log::default();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .scope_hook(log.clone())
        .build()
        .unwrap();
    let spans: Vec<_> = (0..3)
        .map(|_| tracing.span("entered").root().start())
        .collect();
    let [a, b, c] = [0, 1, 2].map(|n| spans[n].context().unwrap().span_id());
    let mut outlives = None;
    spans[0].in_scope(|| {
        std::mem::forget(spans[1].enter());
        outlives = Some(spans[2].enter());
    });
    drop(outlives);
    assert_eq!(
        *log.0.lock().unwrap(),
        [
            (true, a),
            (true, b),
            (true, c),
            (false, c),
            (false, b),
            (false, a)
        ]
    );
}

#[test]
fn a_hook_that_enters_and_never_leaves_ends_no_thread() {
    struct Leaks(Span);
    impl ScopeHook for Leaks {
        fn enter(&self, _: &Span) {}
        fn exit(&self, _: &Span) {
            std::mem::forget(self.0.enter());
        }
    }

    let [a, _] = spans();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .scope_hook(Leaks(a.clone()))
        .build()
        .unwrap();
    let [outer, inner] = ["outer", "inner"].map(|name| tracing.span(name).root().start());
    outer.in_scope(|| std::mem::forget(inner.enter()));
    assert!(Span::current().is_none());
}

#[test]
fn baggage_of_one_span_that_is_not_recorded_is_not_adopted_by_another() {
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .sampler(Never)
        .build()
        .unwrap();
    let [outer, inner] = ["outer", "inner"].map(|name| tracing.span(name).root().start());
    outer.in_scope(|| {
        inner.in_scope(|| Span::current().set_baggage_item("user", "ada"));
        assert_eq!(Span::current().baggage_item("user"), None);
        std::mem::forget(inner.enter());
        Span::current().set_baggage_item("user", "bob");
    });
    assert_eq!(outer.baggage_item("user"), None);
    assert_eq!(inner.baggage_item("user").as_deref(), Some("bob"));
}

#[test]
fn a_request_whose_scope_ended_with_an_outer_one_ends_as_usual() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let instrumentation = Instrumentation::new(&tracing, "test");
    let begin = |path: &str| {
        let request = http::Request::get(path).body(()).unwrap();
        instrumentation.begin(&request)
    };
    let (outer, mut inner) = (SharedRequestSpan::new(begin("/outer")), begin("/inner"));
    let inner_id = inner.span().context().unwrap().span_id();
    let scope = outer.enter();
    inner.scope(|| {
        assert_eq!(Span::current().context().unwrap().span_id(), inner_id);
        outer.leave(scope);
        assert!(Span::current().is_none());
        // Another scope is entered in between.
        tracing.span("work").start().in_scope(|| ());
    });
    assert_eq!(inner.span().context().unwrap().span_id(), inner_id);
    inner.scope(|| assert_eq!(Span::current().context().unwrap().span_id(), inner_id));
    inner.fail(None, &"ended");
    outer.take().unwrap().fail(None, &"ended");
    assert_eq!(tracer.finished().len(), 3);
    tracer.assert_nothing_unfinished();
}
