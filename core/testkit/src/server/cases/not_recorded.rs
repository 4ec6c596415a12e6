//! Requests that are not recorded: what the handler sees, and what is propagated.

use opentracing_http::sampler::{Never, Sampler};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{FinishedSpan, HttpTracingBuilder, NoopTracer, Span, Tracer};

use crate::app::{Reply, injected as inject};
use crate::client::Response;
use crate::server::cases::{
    CHUNKS, PARENT, TRACE, TRACEPARENT, UNSAMPLED, assert_injected, in_chunks, injected, text,
};
use crate::server::{Kit, Server};

/// Whether the handler's span records, then what it injects.
async fn seen() -> Reply {
    let span = Span::current();
    Reply::text(format!(
        "none: {}\nrecording: {}\n{}",
        span.is_none(),
        span.is_recording(),
        inject()
    ))
}

/// A server with this policy, whose response shows what its handler sees.
fn kit<S: Server>(policy: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Kit<S> {
    let setup = Kit::<S>::setup().policy(policy);
    setup.play(|_| seen()).start()
}

/// What the caller sent goes on unchanged from a request that a rule leaves out.
pub fn skipped_request_passes_its_callers_context_on<S: Server>() {
    let kit = kit::<S>(|policy| policy.skip("GET /play"));
    let response = kit.get_with(
        "/play",
        &[
            ("traceparent", TRACEPARENT),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=blue"),
        ],
    );
    assert_injected(
        &response,
        &[
            ("none", "false"),
            ("recording", "false"),
            ("traceparent", TRACEPARENT),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=blue"),
        ],
    );
    // The caller's decision as well.
    let response = kit.get_with("/play", &[("traceparent", UNSAMPLED)]);
    assert_injected(&response, &[("traceparent", UNSAMPLED)]);
}

/// Nothing goes on from a request that a rule leaves out, if nothing came.
pub fn skipped_request_without_a_caller_sends_nothing<S: Server>() {
    let kit = kit::<S>(|policy| policy.skip("/play"));
    let response = kit.get("/play");
    assert_eq!(response.text(), "none: false\nrecording: false\n");
}

/// Rules are patterns of method and path, and predicates; what they do not match is traced.
pub fn skips_by_pattern_and_by_predicate<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy
            .skip("GET /items/{id}")
            .skip_when(|request| request.header("x-probe").is_some())
    });
    kit.get_ok("/items/7");
    kit.get_ok_with("/play", &[("x-probe", "1")]);
    assert_eq!(kit.send("POST", "/play", &[]).status, 200);
    kit.get_ok("/nested/items/7");
    let spans = kit.spans(2);
    let methods: Vec<_> = spans.iter().map(|span| span.tag("http.method")).collect();
    assert_eq!(methods, [Some("POST".into()), Some("GET".into())]);
}

/// What a handler starts below a skipped request is not recorded either, whatever its caller decided.
pub fn records_nothing_below_what_it_skips<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.skip("GET /play"))
        .play(|_| async {
            Span::current().child("child").finish();
            in_chunks("").await
        })
        .start();
    let response = kit.get_with("/play", &[("traceparent", TRACEPARENT)]);
    assert_eq!(response.text(), CHUNKS.concat());
    assert_eq!(kit.get("/play").text(), CHUNKS.concat());
}

/// The no-op tracer records nothing, and what the caller sent goes on unchanged.
pub fn noop_tracer_passes_everything_on<S: Server>() {
    let kit = Kit::<S>::setup()
        .tracer(NoopTracer)
        .play(|_| seen())
        .start();
    let headers = [("traceparent", TRACEPARENT), ("tracestate", "vendor=1")];
    let response = kit.get_with("/play", &headers);
    assert_injected(&response, &headers);
    assert_eq!(kit.get("/play").text(), "none: false\nrecording: false\n");
    assert_eq!(kit.get_with("/items/7", &headers).text(), "7");
}

/// What the caller does not sample is not recorded, and the decision is propagated to the next service, with our own span's id.
pub fn keeps_an_unsampled_decision<S: Server>() {
    let kit = Kit::<S>::setup().play(|_| seen()).start();
    let response = kit.get_with(
        "/play",
        &[
            ("traceparent", UNSAMPLED),
            ("tracestate", "vendor=1"),
            ("baggage", "user=bob"),
        ],
    );
    assert_dropped_below(&response, UNSAMPLED);
    assert_injected(
        &response,
        &[
            ("recording", "false"),
            ("tracestate", "vendor=1"),
            ("baggage", "user=bob"),
        ],
    );
    // A decision without ids counts as well.
    let response = kit.get_with("/play", &[("b3", "0")]);
    let sent = injected(&response, "traceparent").expect("the decision goes on");
    assert!(sent.ends_with("-02") || sent.ends_with("-00"), "{sent}");
}

/// Asserts that the decision not to sample goes on in the caller's trace, with a span id of our own.
#[track_caller]
fn assert_dropped_below(response: &Response, caller: &str) {
    let sent = injected(response, "traceparent").expect("the decision goes on");
    assert!(
        sent.starts_with(&caller[..36]) && sent.ends_with("-00"),
        "{sent}"
    );
    assert!(!sent.contains(PARENT), "the span id is our own: {sent}");
}

/// If a sampler drops a request, `sampled = 0` is propagated to the next service.
pub fn sampler_that_drops_is_propagated<S: Server>() {
    let kit = kit::<S>(|policy| policy.sampler(Never));
    assert_not_sampled(&kit);
}

/// If a tracer drops a request, `sampled = 0` is propagated to the next service.
pub fn tracer_that_drops_is_propagated<S: Server>() {
    struct Choosy;
    impl Tracer for Choosy {
        fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
            assert_eq!(
                (request.method(), request.path()),
                (Some("GET"), Some("/play"))
            );
            SamplingResult::drop()
        }

        fn report(&self, span: FinishedSpan) {
            unreachable!("not sampled, but reported: {span:?}");
        }
    }
    let kit = Kit::<S>::setup().tracer(Choosy).play(|_| seen()).start();
    assert_not_sampled(&kit);
}

fn assert_not_sampled<S: Server>(kit: &Kit<S>) {
    for headers in [&[("traceparent", TRACEPARENT)][..], &[]] {
        let response = kit.get_with("/play", headers);
        assert_injected(&response, &[("recording", "false")]);
        let sent = injected(&response, "traceparent").expect("the decision goes on");
        let flags = sent.rsplit('-').next().expect("flags");
        assert!(matches!(flags, "00" | "02"), "not sampled: {sent}");
        assert!(!sent.contains(PARENT), "the span id is our own: {sent}");
        assert_eq!(sent.contains(TRACE), !headers.is_empty(), "{sent}");
    }
}

/// What is recorded locally only is a recording span in the handler, and not sampled for everyone else.
pub fn recorded_locally_is_seen_but_not_sent<S: Server>() {
    #[derive(Debug)]
    struct Locally;
    impl Sampler for Locally {
        fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
            SamplingResult::record_only()
        }
    }
    let kit = kit::<S>(|policy| policy.sampler(Locally));
    let response = kit.get_with("/play", &[("traceparent", TRACEPARENT)]);
    assert_injected(&response, &[("recording", "true")]);
    assert_dropped_below(&response, TRACEPARENT);
}

/// Baggage that a handler sets goes on from requests that are not recorded: not sampled, or skipped.
pub fn baggage_set_on_what_is_not_recorded_goes_on<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.skip("POST /play"))
        .play(|_| async {
            Span::current().set_baggage_item("user", "ada");
            Reply::text(format!(
                "baggage read: {:?}\n{}",
                Span::current().baggage_item("user"),
                inject()
            ))
        })
        .start();
    for (method, headers, expected) in [
        ("GET", &[("traceparent", UNSAMPLED)][..], "user=ada"),
        (
            "GET",
            &[("traceparent", UNSAMPLED), ("baggage", "tenant=blue")],
            "tenant=blue,user=ada",
        ),
        (
            "POST",
            &[("traceparent", TRACEPARENT), ("baggage", "tenant=blue")],
            "tenant=blue,user=ada",
        ),
    ] {
        let response = kit.send(method, "/play", headers);
        assert_eq!(
            injected(&response, "baggage").as_deref(),
            Some(expected),
            "{method} {headers:?}"
        );
        assert_eq!(
            injected(&response, "baggage read").as_deref(),
            Some(r#"Some("ada")"#)
        );
    }
}

/// Without tracing a handler that looks for its span finds an empty one, on which everything may be called.
pub fn handler_gets_an_empty_span_when_untraced<S: Server>() {
    let kit = Kit::<S>::setup()
        .untraced()
        .play(|_| async {
            let span = Span::current();
            span.set_tag("tag", 1);
            span.set_baggage_item("user", "ada");
            span.child("child").finish();
            Reply::text(format!(
                "{} {:?} {}",
                span.is_none(),
                span.baggage_item("user"),
                inject()
            ))
        })
        .start();
    let response = kit.get_with("/play", &[("traceparent", TRACEPARENT)]);
    assert_eq!(response.text(), "true None none\n");
    assert_eq!(kit.get("/extracted").text(), "none\n");
}

/// `sampling.priority`, set in the handler, decides from then on: what is sent, and whether the span is reported.
pub fn priority_set_in_the_handler_decides<S: Server>() {
    let kit = Kit::<S>::playing(|query| {
        let priority: i64 = query.parse().unwrap_or_default();
        Span::current().set_tag("sampling.priority", priority);
        async move { Reply::text(inject()) }
    });
    let flags = |path: &str, header: &str| {
        let response = kit.get_with(path, &[("traceparent", header)]);
        let sent = injected(&response, "traceparent").expect("a context goes on");
        sent.rsplit('-').next().map(str::to_owned)
    };
    assert_eq!(flags("/play?0", TRACEPARENT).as_deref(), Some("00"));
    assert_eq!(flags("/play?1", TRACEPARENT).as_deref(), Some("01"));
    assert_eq!(text(&kit.span(), "sampling.priority").as_deref(), Some("1"));
    // It cannot bring back what was never recorded, but what is called can still be.
    assert_eq!(flags("/play?1", UNSAMPLED).as_deref(), Some("01"));
    assert_eq!(flags("/play?0", UNSAMPLED).as_deref(), Some("00"));
}
