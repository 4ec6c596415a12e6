//! Futures and guards that own their span: it ends with them.

#![allow(clippy::unwrap_used)]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use opentracing_http::{HttpTracing, InMemoryTracer, OwnedSpan, Span};

fn is_current(span: &Span) -> bool {
    Span::current().context() == span.context()
}

/// A tracer, and a span of its policy.
fn traced() -> (InMemoryTracer, OwnedSpan) {
    let tracer = InMemoryTracer::new();
    let span = HttpTracing::new(tracer.clone()).span("work").start();
    (tracer, span)
}

/// Records, when it is dropped, whether the span has ended and whether it is current.
struct StateOnDrop(Span, Arc<Mutex<Option<(bool, bool)>>>);

impl Drop for StateOnDrop {
    fn drop(&mut self) {
        *self.1.lock().unwrap() = Some((!self.0.is_recording(), is_current(&self.0)));
    }
}

#[test]
fn future_that_owns_its_span_ends_it_when_it_completes() {
    let (tracer, span) = traced();
    let (handle, state) = ((*span).clone(), Arc::default());
    let held = StateOnDrop(handle.clone(), Arc::clone(&state));
    let mut polls = 0;
    let mut future = Box::pin(span.scope(poll_fn(move |_| {
        assert!(held.0.is_recording() && is_current(&held.0));
        Span::current().set_tag("polls", polls);
        polls += 1;
        match polls {
            3 => Poll::Ready("done"),
            _ => Poll::Pending,
        }
    })));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert!(handle.is_recording() && Span::current().is_none());
    }
    assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready("done"));
    // The values of the future were dropped before the span's end, within its scope.
    assert_eq!(*state.lock().unwrap(), Some((false, true)));
    assert!(!handle.is_recording());
    assert_eq!(tracer.take()[0].tag("polls").unwrap().as_i64(), Some(2));
    drop(future);
    assert!(tracer.take().is_empty(), "a span ends once");
}

#[test]
fn future_that_owns_its_span_ends_it_when_it_is_dropped() {
    let (tracer, span) = traced();
    let (handle, state) = ((*span).clone(), Arc::default());
    let held = StateOnDrop(handle, Arc::clone(&state));
    let mut future = Box::pin(span.scope(async move {
        let _held = held;
        std::future::pending::<()>().await;
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert!(tracer.finished().is_empty());
    drop(future);
    assert_eq!(*state.lock().unwrap(), Some((false, true)));
    assert_eq!(tracer.finished().len(), 1);
    // The same for a future that was never polled.
    let (tracer, span) = traced();
    drop(span.scope(async {}));
    assert_eq!(tracer.finished().len(), 1);
}

#[test]
fn future_that_owns_its_span_ends_it_by_a_panic_in_its_poll_or_its_drop() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("as asked for");
        }
    }

    let catch = |run: &mut dyn FnMut()| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(caught.is_err() && Span::current().is_none());
    };
    let mut cx = Context::from_waker(Waker::noop());
    let (tracer, span) = traced();
    let mut future = Some(Box::pin(span.scope(async { panic!("as asked for") })));
    catch(&mut || _ = future.as_mut().unwrap().as_mut().poll(&mut cx));
    // As a runtime does.
    drop(future.take());
    assert_eq!(tracer.finished().len(), 1);

    let (tracer, span) = traced();
    let held = PanicsOnDrop;
    let mut future = Some(Box::pin(span.scope(async move {
        let _held = held;
        std::future::pending::<()>().await;
    })));
    assert!(future.as_mut().unwrap().as_mut().poll(&mut cx).is_pending());
    catch(&mut || drop(future.take()));
    assert_eq!(tracer.finished().len(), 1);

    let (tracer, span) = traced();
    let mut held = Some(PanicsOnDrop);
    let mut future = Some(Box::pin(span.scope(poll_fn(move |_| {
        let _ = &mut held;
        Poll::Ready(())
    }))));
    catch(&mut || _ = future.as_mut().unwrap().as_mut().poll(&mut cx));
    drop(future.take());
    assert_eq!(tracer.finished().len(), 1);
}

#[test]
fn future_that_owns_its_span_traces_a_task_on_another_thread() {
    let (tracer, span) = traced();
    let task = Box::pin(span.child("task").scope(async {
        Span::current().child("part").finish();
    }));
    span.finish();
    let poll = |mut task: Pin<Box<dyn Future<Output = ()> + Send>>| {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut cx).is_ready());
    };
    std::thread::spawn(move || poll(task)).join().unwrap();
    let [task, part] = ["task", "part"].map(|name| tracer.named(name).remove(0));
    assert_eq!(part.parent_id(), Some(task.context().span_id()));
}

#[test]
fn guard_that_owns_its_span_ends_it_when_it_is_dropped() {
    let (tracer, span) = traced();
    let handle = (*span).clone();
    let guard = span.entered();
    assert!(is_current(&handle) && is_current(&guard));
    guard.set_tag("seen", true);
    drop(guard);
    assert!(Span::current().is_none() && !handle.is_recording());
    assert_eq!(tracer.finished().len(), 1);

    let (tracer, span) = traced();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = span.entered();
        panic!("as asked for");
    }));
    assert!(panicked.is_err() && Span::current().is_none());
    assert_eq!(tracer.finished().len(), 1);
}

#[test]
fn guard_of_a_handle_does_not_end_the_span() {
    let (tracer, span) = traced();
    let guard = (*span).clone().entered();
    assert!(is_current(&span));
    drop(guard);
    assert!(Span::current().is_none() && span.is_recording());
    drop(span);
    assert_eq!(tracer.finished().len(), 1);
}
