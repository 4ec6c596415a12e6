//! What arrives at all.

use http::Request;
use opentracing_http::sampler::{Always, Never, ParentBased, Sampler};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::server::Instrumentation;
use opentracing_http::{HttpTracing, NoopTracer, Span, Tag, TraceFlags};

use crate::tracer::kit::{Kit, assert_in_order, elsewhere, named};
use crate::tracer::{Backend, Feature};

/// Returns the same for every span.
#[derive(Debug)]
struct Decides(SamplingResult);

impl Sampler for Decides {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        self.0.clone()
    }
}

/// Nothing of a span that is not sampled arrives, nor of its children and followers; none of them is recorded.
pub fn unsampled_never_arrives<B: Backend>() {
    let kit = Kit::<B>::with(|policy| policy.sampler(Never));
    let span = kit.tracing.span("dropped").start();
    let (child, follower) = (span.child("child"), span.follower("follower"));
    for span in [&span, &child, &follower] {
        assert!(!span.is_recording(), "it is not sampled, so not recorded");
        let context = span.context().expect("a decision goes on");
        let sampled = context.flags().is_sampled();
        assert!(!sampled, "the decision that goes on is not to sample");
        span.set_tag("n", 1);
        span.log("x");
        span.set_name("still dropped");
    }
    drop([child, follower, span]);
    kit.arrived(0);
}

/// Where nobody else decides the caller does: sampled and debug traces go on, others do not, and what it leaves open is
/// recorded.
pub fn a_callers_decision_is_followed<B: Backend>() {
    for (flags, sampled) in [
        (TraceFlags::SAMPLED, true),
        (TraceFlags::DEBUG, true),
        (TraceFlags::DEFERRED, true),
        (TraceFlags::NOT_SAMPLED, false),
    ] {
        let kit = Kit::<B>::new();
        let caller = elsewhere(0xabc, 0xdef, flags);
        let span = kit.tracing.span("work").child_of(caller).start();
        let records = span.is_recording();
        assert_eq!(records, sampled, "recording, below a caller's {flags:?}");
        let context = span.context().expect("it has a caller");
        let trace_id = context.trace_id().get();
        assert_eq!(trace_id, 0xabc, "the trace, below a caller's {flags:?}");
        let told = context.flags().is_sampled();
        assert_eq!(told, sampled, "what goes on, below a caller's {flags:?}");
        span.finish();
        kit.arrived(sampled.into());
    }
}

/// The policy's sampler decides before the tracer and against the caller; where it is undecided the tracer decides.
pub fn a_sampler_decides_before_the_tracer<B: Backend>() {
    let caller = |flags| elsewhere(0xabc, 0xdef, flags);
    let samplers: [(Box<dyn Sampler>, usize); 4] = [
        (Box::new(Always), 2),
        (Box::new(Never), 0),
        (Box::new(ParentBased::new(Never)), 1),
        (Box::new(Decides(SamplingResult::undecided())), 1),
    ];
    for (sampler, arrive) in samplers {
        let kit = Kit::<B>::with(|policy| policy.sampler(sampler));
        for flags in [TraceFlags::SAMPLED, TraceFlags::NOT_SAMPLED] {
            let span = kit.tracing.span("work").child_of(caller(flags));
            span.start().finish();
        }
        kit.arrived(arrive);
    }
}

/// The tags that a sampler adds arrive with the span that it was asked about, and its tracestate with the whole trace.
pub fn what_the_sampler_adds_arrives<B: Backend>() {
    let sampling = SamplingResult::record_and_sample()
        .with_tag(("sampler.type", "probabilistic"))
        .with_tag(("sampler.param", 0.25))
        .with_tracestate("vendor", "t61");
    let kit = Kit::<B>::with(|policy| policy.sampler(Decides(sampling)));
    let span = kit.tracing.span("root").tag("own", true).start();
    span.child("child").finish();
    let context = span.context().expect("it is recorded");
    let told = context.tracestate().as_str();
    assert_eq!(told, "vendor=t61", "the sampler's tracestate goes on");
    span.finish();
    kit.tracing.span("bare").start().finish();

    let spans = kit.arrived(3);
    let expected = B::CAPABILITIES.tags([
        Tag::new("own", true),
        Tag::new("sampler.type", "probabilistic"),
        Tag::new("sampler.param", 0.25),
    ]);
    for tag in &expected {
        let arrived = named(&spans, "root").tag(&tag.key);
        assert_eq!(arrived, Some(&tag.value), "the tag {} arrives", tag.key);
    }
    let tags = |name| &named(&spans, name).tags;
    assert_eq!(tags("root").len(), 3, "its own and the sampler's tags");
    assert_in_order::<B>(
        tags("bare"),
        expected[1..].iter().cloned(),
        "the sampler's tags alone",
    );
    assert_eq!(
        tags("child"),
        &[],
        "the sampler was not asked about a child"
    );
    let tracestate = if B::CAPABILITIES.has(Feature::Tracestate) {
        "vendor=t61"
    } else {
        ""
    };
    for span in &spans {
        assert_eq!(
            span.tracestate, tracestate,
            "the tracestate of the span {}",
            span.name
        );
    }
}

/// What is recorded for this process only never arrives, nor do its children.
pub fn record_only_never_arrives<B: Backend>() {
    let sampler = Decides(SamplingResult::record_only());
    let kit = Kit::<B>::with(|policy| policy.sampler(sampler));
    let span = kit.tracing.span("local").start();
    let child = span.child("below");
    for span in [&span, &child] {
        assert!(span.is_recording(), "it is recorded for this process");
        let context = span.context().expect("it is recorded");
        let sampled = context.flags().is_sampled();
        assert!(!sampled, "the decision that goes on is not to sample");
    }
    drop([child, span]);
    kit.arrived(0);
}

/// The tag `sampling.priority` decides against samplers and callers, at the start and later, for the span and what it
/// causes from then on.
pub fn sampling_priority_is_obeyed<B: Backend>() {
    let kit = Kit::<B>::with(|policy| policy.sampler(Never));
    let raised = kit.tracing.span("raised").tag("sampling.priority", 1);
    raised.start().child("below raised").finish();
    let late = kit.tracing.span("dropped").start();
    late.child("before").finish();
    late.set_tag("sampling.priority", 0.5);
    late.child("after").finish();
    late.set_tag("sampling.priority", 0);
    late.child("after all").finish();
    late.finish();
    let spans = kit.arrived(3);
    for name in ["raised", "below raised", "after"] {
        named(&spans, name);
    }

    let kit = Kit::<B>::new();
    let lowered = kit.tracing.span("lowered").tag("sampling.priority", 0);
    lowered.start().child("below lowered").finish();
    let lowered = kit.tracing.span("lowered").tag("sampling.priority", 0.0);
    lowered.start().finish();
    let late = kit.tracing.span("lowered later").start();
    late.child("before").finish();
    late.set_tags([("sampling.priority", 0)]);
    late.child("after").finish();
    late.finish();
    let span = kit.tracing.span("no number").start();
    span.set_tag("sampling.priority", "0");
    span.set_tag("sampling.priority", false);
    span.finish();
    let parent = kit.tracing.span("parent").start();
    let child = parent.build_child("child").tag("sampling.priority", 0);
    child.start().finish();
    parent.finish();
    let spans = kit.arrived(3);
    for name in ["before", "no number", "parent"] {
        named(&spans, name);
    }
    let sampler = Decides(SamplingResult::record_only());
    let kit = Kit::<B>::with(|policy| policy.sampler(sampler));
    let span = kit.tracing.span("local at first").start();
    span.set_tag("sampling.priority", 1);
    span.finish();
    let name = kit.only().name;
    assert_eq!(name, "local at first", "the priority sends what was local");
}

/// Nothing of a request that the policy skips arrives, nor of what is started below it.
pub fn skipped_never_arrives<B: Backend>() {
    let kit = Kit::<B>::with(|policy| policy.skip("GET /health"));
    let server = Instrumentation::new(&kit.tracing, "testkit");
    for path in ["/health", "/work"] {
        let request = Request::get(path).body(()).expect("a request");
        let mut span = server.begin(&request);
        span.scope(|| {
            Span::current().child(format!("child of {path}")).finish();
            kit.tracing.span(format!("inside {path}")).start().finish();
        });
        span.fail(Some(500), &"no luck");
    }
    let spans = kit.arrived(3);
    for name in ["GET", "child of /work", "inside /work"] {
        named(&spans, name);
    }
}

/// The empty handle, the spans of a tracer that traces nothing and those that are not sampled accept everything, and
/// nothing of it arrives.
pub fn noop_span_accepts_everything<B: Backend>() {
    let kit = Kit::<B>::new();
    let caller = elsewhere(0xabc, 0xdef, TraceFlags::NOT_SAMPLED);
    let unsampled = kit.tracing.span("unsampled").child_of(caller).start();
    let noop = HttpTracing::new(NoopTracer);
    let untraced = noop.span("untraced").start();
    for span in [&Span::none(), &*untraced, &*unsampled] {
        assert!(!span.is_recording(), "there is nothing to record it for");
        span.set_tag("a", 1);
        span.set_tags([("b", 2)]);
        span.log("x");
        span.log_at(std::time::SystemTime::UNIX_EPOCH, "y");
        span.record_error(&std::fmt::Error);
        span.set_name("z");
        span.set_route("/z");
        span.set_baggage_item("key", "value");
        span.in_scope(|| span.child("child").finish());
        span.follower("follower")
            .finish_at(std::time::SystemTime::UNIX_EPOCH);
        span.build_child("built").tag("n", 1).start().finish();
        span.inject(&mut Vec::new());
    }
    let child = Span::none().child("child");
    assert!(child.is_none(), "a child of the empty handle is empty");
    let context = untraced.context();
    assert_eq!(
        context, None,
        "a tracer that traces nothing has no contexts"
    );
    drop([untraced, unsampled]);
    kit.arrived(0);
}
