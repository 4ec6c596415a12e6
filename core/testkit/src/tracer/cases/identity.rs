//! Who a span is, and how it stands to others.

use std::collections::HashSet;

use opentracing_http::report::ReferenceKind;
use opentracing_http::{IdSource, SpanContext, SpanId, TraceFlags, TraceId};

use crate::tracer::kit::{Kit, elsewhere, named};
use crate::tracer::{Backend, Delivery, Feature, ReceivedReference, ReceivedSpan};

/// Asserts that the references of these kinds arrived, in this order, if references do.
#[track_caller]
fn assert_refers<B: Backend>(span: &ReceivedSpan, references: &[(ReferenceKind, &SpanContext)]) {
    let expected = references.iter().map(|(kind, context)| ReceivedReference {
        kind: *kind,
        trace_id: context.trace_id(),
        span_id: context.span_id(),
    });
    let expected: Vec<ReceivedReference> = match B::CAPABILITIES.has(Feature::References) {
        true => expected.collect(),
        false => Vec::new(),
    };
    assert_eq!(
        span.references, expected,
        "the references of the span {} arrive (left) as they were made (right)",
        span.name
    );
}

#[derive(Debug)]
struct Given(u128, u64);

impl IdSource for Given {
    fn trace_id(&self) -> TraceId {
        TraceId::new(self.0).expect("not zero")
    }

    fn span_id(&self) -> SpanId {
        SpanId::new(self.1).expect("not zero")
    }
}

/// A trace id arrives with all of its 128 bits and a span id with all of its 64, the first and the last included.
pub fn ids_arrive<B: Backend>() {
    let low = u128::from(u64::MAX);
    for (trace_id, span_id) in [(1, 1), (u128::MAX, u64::MAX), (!low, 1 << 63), (low, 0xabc)] {
        let kit = Kit::<B>::with(|policy| policy.ids(Given(trace_id, span_id)));
        kit.tracing.span("work").start().finish();
        let span = kit.only();
        assert_eq!(
            (span.trace_id.get(), span.span_id.get()),
            (trace_id, span_id),
            "ids arrive (left) with all of their bits (right)"
        );
    }
}

/// A root has neither parent nor references, and a trace of its own.
pub fn a_root_has_no_parent<B: Backend>() {
    let kit = Kit::<B>::new();
    kit.tracing.span("one").start().finish();
    kit.tracing.span("other").start().finish();
    let spans = kit.arrived(2);
    for span in &spans {
        assert_eq!(span.parent_id, None, "a root has no parent");
        assert_eq!(span.references, [], "a root has no references");
    }
    assert_ne!(
        spans[0].trace_id, spans[1].trace_id,
        "each root has a trace of its own"
    );
}

/// A child arrives in its parent's trace, below its parent, under an id of its own.
pub fn child_of_keeps_the_trace_id<B: Backend>() {
    let kit = Kit::<B>::new();
    let root = kit.tracing.span("root").start();
    let child = root.child("child");
    child.child("grandchild").finish();
    let [root, child] = [root, child].map(|span| span.context().expect("it is recorded"));
    let spans = kit.arrived(3);
    let ids: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), 3, "each span has an id of its own: {ids:?}");
    for (name, parent) in [("child", &root), ("grandchild", &child)] {
        let span = named(&spans, name);
        assert_eq!(span.trace_id, parent.trace_id(), "the trace of the {name}");
        let above = Some(parent.span_id());
        assert_eq!(span.parent_id, above, "the parent of the {name}");
        assert_refers::<B>(span, &[(ReferenceKind::ChildOf, parent)]);
    }
    let id = named(&spans, "root").span_id;
    assert_eq!(id, root.span_id(), "the id that the span has for its owner");
}

/// A span below a caller in another process arrives in the caller's trace, below the caller.
pub fn a_callers_trace_goes_on<B: Backend>() {
    let kit = Kit::<B>::new();
    let caller = elsewhere(u128::MAX - 1, u64::MAX - 1, TraceFlags::SAMPLED);
    let span = kit.tracing.span("work").child_of(caller.clone());
    span.start().finish();
    let span = kit.only();
    assert_eq!(span.trace_id, caller.trace_id(), "the caller's trace");
    assert_eq!(
        span.parent_id,
        Some(caller.span_id()),
        "the caller is the parent"
    );
    assert_refers::<B>(&span, &[(ReferenceKind::ChildOf, &caller)]);
}

/// A follower arrives below what it follows from, and says that it only follows; of a span here and of one elsewhere.
pub fn follows_from_is_recorded<B: Backend>() {
    let kit = Kit::<B>::new();
    let cause = kit.tracing.span("cause").start();
    cause.follower("here").finish();
    let caller = elsewhere(0xabc, 0xdef, TraceFlags::SAMPLED);
    let span = kit.tracing.span("elsewhere").follows_from(caller.clone());
    span.start().finish();
    let context = cause.context().expect("it is recorded");
    cause.finish();
    let spans = kit.arrived(3);
    for (name, cause) in [("here", context), ("elsewhere", caller)] {
        let span = named(&spans, name);
        let ids = (span.trace_id, span.parent_id);
        let below = (cause.trace_id(), Some(cause.span_id()));
        assert_eq!(ids, below, "a follower ({name}) is below its cause");
        assert_refers::<B>(span, &[(ReferenceKind::FollowsFrom, &cause)]);
    }
}

/// References arrive in their order and with their kinds, also those into other traces; the first is the parent.
pub fn references_of_several_traces_arrive<B: Backend>() {
    let kit = Kit::<B>::new();
    let [one, other, third] = [1, 2, 3].map(|n| elsewhere(n, n as u64 + 10, TraceFlags::SAMPLED));
    let span = kit.tracing.span("join").child_of(one.clone());
    let span = span.follows_from(other.clone()).child_of(third.clone());
    span.start().finish();
    let parent = kit.tracing.span("parent").start();
    let child = parent.build_child("child").follows_from(other.clone());
    child.start().finish();
    let context = parent.context().expect("it is recorded");
    parent.finish();
    let spans = kit.arrived(3);

    let join = named(&spans, "join");
    assert_eq!(
        (join.trace_id, join.parent_id),
        (one.trace_id(), Some(one.span_id())),
        "the first reference is the parent"
    );
    let (child_of, follows_from) = (ReferenceKind::ChildOf, ReferenceKind::FollowsFrom);
    let references = [(child_of, &one), (follows_from, &other), (child_of, &third)];
    assert_refers::<B>(join, &references);
    let child = named(&spans, "child");
    assert_eq!(
        child.parent_id,
        Some(context.span_id()),
        "what it is a child of comes before what it follows"
    );
    assert_refers::<B>(child, &[(child_of, &context), (follows_from, &other)]);
}

/// A trace arrives whole in whatever order its spans end: a child may end after its parent, and one may start after it.
pub fn a_child_may_outlive_its_parent<B: Backend>() {
    let kit = Kit::<B>::new();
    let parent = kit.tracing.span("parent").start();
    let (handle, child) = ((*parent).clone(), parent.child("child"));
    parent.finish();
    handle.child("late").finish();
    handle.follower("follower").finish();
    child.finish();
    let spans = kit.arrived(4);
    let parent = named(&spans, "parent");
    assert_eq!(parent.parent_id, None, "a root has no parent");
    for name in ["child", "late", "follower"] {
        let span = named(&spans, name);
        assert_eq!(
            (span.trace_id, span.parent_id),
            (parent.trace_id, Some(parent.span_id)),
            "{name} arrives below its parent, which ended first"
        );
    }
}

/// A span that is started while another is current becomes its child; one that asks to be a root does not.
pub fn the_current_span_is_the_parent<B: Backend>() {
    let kit = Kit::<B>::new();
    let current = kit.tracing.span("current").start();
    current.in_scope(|| {
        kit.tracing.span("inner").start().finish();
        kit.tracing.span("root").root().start().finish();
    });
    current.finish();
    kit.tracing.span("after").start().finish();
    let spans = kit.arrived(4);
    let current = named(&spans, "current").span_id;
    for (name, parent) in [("inner", Some(current)), ("root", None), ("after", None)] {
        let found = named(&spans, name).parent_id;
        assert_eq!(found, parent, "the parent of the span {name}");
    }
}

/// A span arrives once, however many handles to it there are, and never before its end.
pub fn each_span_arrives_once<B: Backend>() {
    // As many as the shortest queue holds, with the last.
    const SPANS: usize = Delivery::SHORTEST_QUEUE - 1;
    let kit = Kit::<B>::new();
    let open = kit.tracing.span("open").start();
    let mut handles = Vec::new();
    let mut names: Vec<String> = (0..SPANS).map(|number| format!("span {number}")).collect();
    for name in &names {
        let span = kit.tracing.span(name.clone()).start();
        handles.extend([(*span).clone(), (*span).clone()]);
        span.in_scope(|| handles.push(opentracing_http::Span::current()));
        span.finish();
    }
    drop(handles);
    kit.each_arrived(&names);
    open.finish();
    names.push("open".to_owned());
    kit.each_arrived(&names);
}
