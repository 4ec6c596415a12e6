//! When a second mount point joins a request, when a request becomes a child, and when neither happens.

use std::sync::atomic::{AtomicU64, Ordering};

use opentracing_http::SpanContext;

use super::*;

const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn context(span: &Span) -> SpanContext {
    span.context().unwrap()
}

#[test]
fn a_guard_of_an_unrecorded_request_takes_no_other_request_over() {
    let ends = Arc::new(AtomicU64::new(0));
    let harness = policy(|policy| {
        let ends = ends.clone();
        policy.on_finish(move |_| _ = ends.fetch_add(1, Ordering::Relaxed))
    });
    let first = harness.begin(&get("/", &[("traceparent", UNSAMPLED)]));
    first.span().set_baggage_item("user", "ada");
    // Like a task that holds the guard across an `await`.
    let _guard = first.span().enter();
    for headers in [&[("traceparent", OTHER)][..], &[]] {
        for _ in 0..50 {
            drop(harness.begin(&get("/", headers)));
        }
    }
    let spans = harness.tracer.take();
    assert_eq!(spans.len(), 100);
    assert_eq!(ends.load(Ordering::Relaxed), 100);
    for span in &spans {
        assert_ne!(span.context().trace_id(), context(first.span()).trace_id());
        assert!(span.baggage().is_empty());
    }
}

#[test]
fn a_marked_request_joins_the_request_whose_scope_it_is_in_and_no_guard() {
    let harness = defaults();
    let request = get("/", &[]);
    let other = harness.begin(&get("/other", &[]));
    let mut span = harness.begin(&request);
    let id = context(span.span()).span_id();
    span.scope(|| {
        let _guard = other.span().enter();
        let joined = harness.instrumentation.joinable(&Marked(&request)).unwrap();
        assert_eq!(context(&joined).span_id(), id);
    });
    // The request is moved to a thread or task without a scope of the request.
    let _guard = other.span().enter();
    let marked = Marked(&request);
    assert!(harness.instrumentation.joinable(&marked).is_none());
}

#[test]
fn a_request_that_another_ones_poll_takes_up_joins_neither_of_them() {
    // Two mount points: requests are marked.
    let harness = defaults();
    (0..2).for_each(|_| harness.instrumentation.mounted());
    let inner = harness.mount(|mount_point| mount_point.attributes([Attribute::PATH]));
    for caller in [UNSAMPLED, TRACEPARENT] {
        let headers = [("traceparent", caller)];
        let mut alice = get("/alice", &headers);
        let waiting = harness.begin(&alice);
        assert!(waiting.leave_mark(alice.extensions_mut()));
        let mut bob = harness.begin(&get("/bob", &headers));
        bob.scope(|| {
            // Like a middleware that collects requests and passes them on together.
            assert!(harness.instrumentation.joinable(&alice).is_none());
            assert!(inner.begin(&alice).is_outermost());
        });
        let id = context(waiting.span()).span_id();
        let mut waiting = waiting;
        waiting.scope(|| {
            bob.scope(|| {
                let joined = harness.instrumentation.joinable(&alice).unwrap();
                assert_eq!(context(&joined).span_id(), id);
            });
        });
        drop((waiting, bob));
        let spans = harness.tracer.take();
        let path = |span: &FinishedSpan| tag(span, "path");
        let bobs = spans
            .iter()
            .find(|span| tag(span, "http.url").as_deref() == Some("/bob"));
        assert_eq!(bobs.and_then(path), None);
    }
}

#[test]
fn a_request_needs_a_mark_where_there_is_a_second_mount_point() {
    let harness = defaults();
    harness.instrumentation.mounted();
    let leaves_mark = || {
        let mut request = get("/", &[]);
        let span = harness.begin(&request);
        let left = span.leave_mark(request.extensions_mut());
        assert_eq!(left, !request.extensions().is_empty());
        left
    };
    assert!(!leaves_mark());
    harness.instrumentation.clone().mounted();
    assert!(leaves_mark());
}

#[test]
fn sub_requests_of_an_unsampled_request_are_requests_of_their_own() {
    let ends = Arc::new(AtomicU64::new(0));
    let harness = policy(|policy| {
        let ends = ends.clone();
        policy.on_finish(move |_| _ = ends.fetch_add(1, Ordering::Relaxed))
    });
    let mut batch = harness.begin(&get("/batch", &[("traceparent", UNSAMPLED)]));
    batch.scope(|| {
        for _ in 0..3 {
            let request = get("/one", &[("traceparent", OTHER)]);
            drop(harness.begin(&request));
        }
    });
    drop(batch);
    let spans = harness.tracer.take();
    assert_eq!((spans.len(), ends.load(Ordering::Relaxed)), (3, 4));
    assert!(
        spans
            .iter()
            .all(|span| span.context().trace_id().to_string() == "0af7651916cd43dd8448eb211c80319c")
    );
}

#[test]
fn a_request_without_a_context_made_in_a_scope_is_a_child() {
    let harness = policy(|policy| policy.skip("/health"));
    let mut outer = harness.begin(&get(
        "/",
        &[("traceparent", TRACEPARENT), ("baggage", "a=1")],
    ));
    let outer_id = context(outer.span()).span_id();
    outer.scope(|| {
        let child = Span::current().child("part");
        let child_id = context(&child).span_id();
        // A guard counts if a poll is among the outer scopes.
        let guard = child.enter();
        drop(harness.begin(&get("/inner", &[("baggage", "b=2,a=3")])));
        let inner = harness.tracer.take().remove(0);
        assert_eq!(inner.parent_id(), Some(child_id));
        assert_eq!(inner.context().trace_id().to_string(), TRACE);
        assert_eq!(inner.baggage().get("a"), Some("3"));
        assert_eq!(inner.baggage().get("b"), Some("2"));
        assert_eq!(inner.kind(), opentracing_http::SpanKind::Server);
        assert_eq!(inner.name(), "GET");
        drop(guard);
        drop(child);
        let _ = harness.tracer.take();

        // A request that is skipped propagates the context of its parent.
        let skipped = harness.begin(&get("/health", &[]));
        assert!(!skipped.span().is_recording());
        assert_eq!(context(skipped.span()).span_id(), outer_id);

        // Detached on purpose.
        Span::none().in_scope(|| drop(harness.begin(&get("/inner", &[]))));
        assert_eq!(harness.tracer.take().remove(0).parent_id(), None);

        // A sampling decision without ids is a caller's context as well.
        let told = harness.begin(&get("/inner", &[("b3", "0")]));
        assert!(!told.span().is_recording());
        assert_ne!(context(told.span()).trace_id().to_string(), TRACE);
    });
    drop(outer);
    let _ = harness.only();
}

#[test]
fn a_request_without_a_context_made_in_an_unrecorded_one_is_not_recorded_either() {
    let harness = policy(|policy| policy.skip("/skipped"));
    let mut unsampled = harness.begin(&get("/", &[("traceparent", UNSAMPLED)]));
    let id = context(unsampled.span()).span_id();
    unsampled.scope(|| {
        let inner = harness.begin(&get("/inner", &[]));
        assert!(!inner.span().is_recording());
        assert_eq!(context(inner.span()).span_id(), id);
        assert!(!context(inner.span()).flags().is_sampled());
    });
    let mut skipped = harness.begin(&get("/skipped", &[]));
    skipped.scope(|| {
        let inner = harness.begin(&get("/inner", &[]));
        assert!(inner.span().context().is_none());
        Span::current().set_tag("sampling.priority", 1);
        drop(harness.begin(&get("/inner", &[])));
    });
    let spans = harness.tracer.take();
    assert_eq!(spans.len(), 1, "that one was asked for");
    assert_eq!(spans[0].parent_id(), None);
}

#[test]
fn a_guard_alone_is_not_a_parent() {
    let harness = defaults();
    let span = harness.instrumentation.tracing().span("start-up").start();
    let guard = span.enter();
    drop(harness.begin(&get("/", &[])));
    drop(guard);
    // For example around a whole server.
    span.in_scope(|| drop(harness.begin(&get("/", &[]))));
    let mut polled = std::pin::pin!((*span).scope(async {
        drop(harness.begin(&get("/", &[])));
    }));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(polled.as_mut().poll(&mut cx).is_ready());
    let parents: Vec<_> = harness
        .tracer
        .take()
        .iter()
        .map(FinishedSpan::parent_id)
        .collect();
    assert_eq!(parents, [None, None, Some(context(&span).span_id())]);
}
