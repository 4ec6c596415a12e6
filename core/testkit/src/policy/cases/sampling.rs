//! Which requests are recorded.

use opentracing_http::Pattern;
use opentracing_http::sampler::{
    Always, Never, ParentBased, Probability, RateLimit, Rules, Sampler, SamplingParams,
    SamplingResult,
};

use crate::server::cases::{PARENT, TRACE, TRACEPARENT, UNSAMPLED, injected, parent, text, trace};
use crate::server::{Kit, Server};

/// Rules choose the sampler by the pattern that matches first; what matches none is left to the tracer, or to a default.
pub fn sampling_rules_go_by_method_and_path<S: Server>() {
    let pattern = |pattern: &str| pattern.parse::<Pattern>().expect("a pattern");
    let rules = || {
        Rules::new()
            .rule(pattern("GET /play"), Never)
            .rule(pattern("/play"), Always)
    };
    let kit = Kit::<S>::with(|policy| policy.sampler(rules()));
    kit.get_ok("/play");
    assert_eq!(kit.send("POST", "/play", &[]).status, 200);
    let sampler = |span: &opentracing_http::FinishedSpan| text(span, "sampler.type");
    assert_eq!(sampler(&kit.span()).as_deref(), Some("const"));
    assert_eq!(sampler(&kit.span_of("/items/7")), None);
    let unsampled = [("traceparent", UNSAMPLED)];
    kit.get_ok_with("/items/7", &unsampled);
    let kit = Kit::<S>::with(|policy| policy.sampler(rules().otherwise(Always)));
    assert_eq!(
        sampler(&kit.span_of_with("/items/7", &unsampled)).as_deref(),
        Some("const")
    );
}

/// A share of traces is chosen by the random part of the trace id, the same one in every service.
pub fn probability_goes_by_the_trace_id<S: Server>() {
    let kit =
        Kit::<S>::with(|policy| policy.sampler(Probability::new(0.25).expect("a probability")));
    // The right-most 56 bits count: three quarters of their range are left out.
    for (id, sampled) in [
        ("ffffffffffffffffff00000000000000", false),
        ("ffffffffffffffffffbfffffffffffff", false),
        ("000000000000000000c0000000000000", true),
        ("000000000000000000ffffffffffffff", true),
    ] {
        let header = format!("00-{id}-{PARENT}-01");
        kit.get_ok_with("/play", &[("traceparent", &header)]);
        for span in kit.spans(usize::from(sampled)) {
            assert_eq!(trace(&span), id);
            assert_eq!(
                text(&span, "sampler.type").as_deref(),
                Some("probabilistic")
            );
            assert_eq!(text(&span, "sampler.param").as_deref(), Some("0.25"));
        }
    }
    for (share, sampled) in [(0.0, 0), (1.0, 20)] {
        let kit = Kit::<S>::with(|policy| {
            policy.sampler(Probability::new(share).expect("a probability"))
        });
        for _ in 0..20 {
            kit.get_ok("/play");
        }
        assert_eq!(kit.spans(sampled).len(), sampled);
    }
}

/// A rate bounds what is recorded: none, the first of a day, or everything that this machine can ask for.
pub fn rate_limit_bounds_what_is_recorded<S: Server>() {
    for (rate, sampled) in [(0.0, 0), (0.00001, 1), (1e9, 10)] {
        let kit =
            Kit::<S>::with(|policy| policy.sampler(RateLimit::per_second(rate).expect("a rate")));
        for _ in 0..10 {
            kit.get_ok("/play");
        }
        for span in kit.spans(sampled) {
            assert_eq!(text(&span, "sampler.type").as_deref(), Some("ratelimiting"));
        }
    }
}

/// A sampler that is asked for roots only follows the caller, whatever it would decide itself.
pub fn parent_based_sampler_follows_the_caller<S: Server>() {
    for (root, records) in [(true, 1), (false, 0)] {
        let kit = Kit::<S>::with(|policy| match root {
            true => policy.sampler(ParentBased::new(Always)),
            false => policy.sampler(ParentBased::new(Never)),
        });
        assert_eq!(
            parent(&kit.span_of_with("/play", &[("traceparent", TRACEPARENT)])).as_deref(),
            Some(PARENT)
        );
        kit.get_ok_with("/play", &[("traceparent", UNSAMPLED)]);
        kit.get_ok("/play");
        assert_eq!(kit.spans(records).len(), records);
    }
}

/// A sampler overrides the caller, unless it is undecided: then the tracer is asked, which follows the caller.
pub fn undecided_sampler_leaves_it_to_the_tracer<S: Server>() {
    #[derive(Debug)]
    struct Undecided;
    impl Sampler for Undecided {
        fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
            assert_eq!(
                request.caller_decision(),
                request.parent().map(|it| it.flags().is_sampled())
            );
            SamplingResult::undecided()
        }
    }
    let undecided = Kit::<S>::with(|policy| policy.sampler(Undecided));
    undecided.get_ok_with("/play", &[("traceparent", UNSAMPLED)]);
    let _ = undecided.span_of("/play");
    let always = Kit::<S>::with(|policy| policy.sampler(Always));
    assert_eq!(
        trace(&always.span_of_with("/play", &[("traceparent", UNSAMPLED)])),
        TRACE
    );
}

/// Without a caller, and without a sampler, everything is sampled.
pub fn samples_everything_without_a_caller<S: Server>() {
    let kit = Kit::<S>::new();
    for _ in 0..20 {
        let sent = injected(&kit.get("/play"), "traceparent").expect("a span is current");
        assert!(sent.ends_with("-03"), "sampled, with a random id: {sent}");
    }
    assert_eq!(kit.spans(20).len(), 20);
}
