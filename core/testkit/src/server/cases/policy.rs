//! Rules of the policy that are the same wherever it is used: options, patterns, samplers.

use opentracing_http::sampler::{
    Always, Never, ParentBased, Probability, RateLimit, Rules, Sampler,
};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{
    Forwarded, HttpTracing, HttpTracingBuilder, InMemoryTracer, Limits, NoopTracer, Pattern, Span,
};

use crate::app::{Reply, injected as inject};
use crate::server::cases::{PARENT, TRACE, TRACEPARENT, UNSAMPLED, injected, parent, text, trace};
use crate::server::{Feature, Kit, Server};

/// A wrong option is an error when the policy is made, which names the option, what was given, and the remedy.
pub fn wrong_options_are_errors_with_a_remedy<S: Server>() {
    let error = |change: fn(HttpTracingBuilder) -> HttpTracingBuilder| {
        let built = change(HttpTracing::builder(NoopTracer)).build();
        built.expect_err("the option is wrong").to_string()
    };
    for (error, parts) in [
        (
            error(|policy| policy.attribute_names(["url", "ulr"])),
            &["attribute_names", "\"ulr\"", "user_agent"][..],
        ),
        (
            error(|policy| policy.attribute_names(["header:not a name"])),
            &["attribute_names", "not a name", "header:x-request-id"],
        ),
        (
            error(|policy| policy.skip("health")),
            &["skip", "health", "/"],
        ),
        (
            error(|policy| policy.skip("get /health")),
            &["skip", "get", "GET"],
        ),
        (
            error(|policy| policy.skip("/users/:id")),
            &["skip", "{name}"],
        ),
        (error(|policy| policy.skip("/a*b")), &["skip", "`*`"]),
        (
            error(|policy| policy.forwarded(Forwarded::hops(0))),
            &["forwarded", "nobody"],
        ),
        (
            error(|policy| {
                let mut limits = Limits::default();
                limits.value_bytes = 0;
                policy.limits(limits)
            }),
            &["limits", "value_bytes"],
        ),
        // The first one is told.
        (
            error(|policy| policy.skip("first").skip("second")),
            &["skip", "first"],
        ),
    ] {
        for part in parts {
            assert!(error.contains(part), "{part:?} in {error:?}");
        }
    }
    for wrong in [
        "",
        "GET",
        "GET health",
        "/*/a",
        "/{}",
        "/a{b}",
        "/{a",
        "/{a}{b}",
        "/{*}",
        "/x{*rest}",
        "/{*rest}/x",
        "/users/<id>",
        "GET,,HEAD /x",
        "Post /x",
    ] {
        assert!(wrong.parse::<Pattern>().is_err(), "{wrong:?}");
    }
    assert!(Probability::new(1.1).is_err() && Probability::new(-0.1).is_err());
    assert!(Probability::new(0.0).is_ok() && Probability::new(1.0).is_ok());
    assert!(RateLimit::per_second(-1.0).is_err() && RateLimit::per_second(f64::NAN).is_err());
    assert!(RateLimit::per_second(0.0).is_ok());
}

/// Patterns are compared with the method and the path as they came, segment by segment.
pub fn patterns_go_by_method_and_segments<S: Server>() {
    if !S::CAPABILITIES.has(Feature::UnmatchedRequests) {
        // Nearly all of these paths match no route.
        return;
    }
    for (pattern, matching, others) in [
        (
            "/health",
            &["GET /health", "POST /health", "GET /health?full"][..],
            &[
                "GET /health/",
                "GET /healthy",
                "GET /Health",
                "GET /a/health",
            ][..],
        ),
        ("GET /health", &["GET /health"], &["POST /health"]),
        (
            "GET,POST /x/*",
            &["GET /x/", "POST /x/a", "GET /x/a/b"],
            &["GET /x", "PUT /x/a", "GET /y/a"],
        ),
        (
            "/users/{id}/orders",
            &["GET /users/7/orders"],
            &[
                "GET /users//orders",
                "GET /users/7/8/orders",
                "GET /users/7/orders/9",
                "GET /users/7",
            ],
        ),
        ("/x/{*rest}", &["GET /x/", "GET /x/a/b"], &["GET /x"]),
        ("/*", &["GET /", "GET /a/b"], &[]),
        ("/", &["GET /"], &["GET /a"]),
    ] {
        let kit = Kit::<S>::with(|policy| policy.skip(pattern));
        let send = |request: &str| {
            let (method, path) = request.split_once(' ').expect("a method and a path");
            let _ = kit.send(method, path, &[]);
        };
        matching.iter().for_each(|request| send(request));
        for request in others {
            send(request);
            let span = kit.span();
            let path = span.http().map(|http| http.path().to_owned());
            let expected = request.split_once(' ').map(|(_, path)| path.to_owned());
            assert_eq!(path, expected, "{pattern}");
        }
    }
}

/// Rules choose the sampler by the pattern that matches first; what matches none is left to the tracer, or to a default.
pub fn sampling_rules_go_by_method_and_path<S: Server>() {
    let pattern = |pattern: &str| pattern.parse::<Pattern>().expect("a pattern");
    let rules = || {
        Rules::new()
            .rule(pattern("GET /play"), Never)
            .rule(pattern("/play"), Always)
    };
    let kit = Kit::<S>::with(|policy| policy.sampler(rules()));
    assert_eq!(kit.get("/play").status, 200);
    assert_eq!(kit.send("POST", "/play", &[]).status, 200);
    let sampler = |span: &opentracing_http::FinishedSpan| text(span, "sampler.type");
    assert_eq!(sampler(&kit.span()).as_deref(), Some("const"));
    assert_eq!(kit.get("/items/7").status, 200);
    assert_eq!(sampler(&kit.span()), None);
    let unsampled = [("traceparent", UNSAMPLED)];
    assert_eq!(kit.get_with("/items/7", &unsampled).status, 200);
    let kit = Kit::<S>::with(|policy| policy.sampler(rules().otherwise(Always)));
    assert_eq!(kit.get_with("/items/7", &unsampled).status, 200);
    assert_eq!(sampler(&kit.span()).as_deref(), Some("const"));
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
        assert_eq!(
            kit.get_with("/play", &[("traceparent", &header)]).status,
            200
        );
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
            assert_eq!(kit.get("/play").status, 200);
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
            assert_eq!(kit.get("/play").status, 200);
        }
        for span in kit.spans(sampled) {
            assert_eq!(text(&span, "sampler.type").as_deref(), Some("ratelimiting"));
        }
    }
}

/// A sampler that is asked for roots only follows the caller, whatever it would say itself.
pub fn parent_based_sampler_follows_the_caller<S: Server>() {
    for (root, records) in [(true, 1), (false, 0)] {
        let kit = Kit::<S>::with(|policy| match root {
            true => policy.sampler(ParentBased::new(Always)),
            false => policy.sampler(ParentBased::new(Never)),
        });
        assert_eq!(
            kit.get_with("/play", &[("traceparent", TRACEPARENT)])
                .status,
            200
        );
        assert_eq!(parent(&kit.span()).as_deref(), Some(PARENT));
        assert_eq!(
            kit.get_with("/play", &[("traceparent", UNSAMPLED)]).status,
            200
        );
        assert_eq!(kit.get("/play").status, 200);
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
    assert_eq!(
        undecided
            .get_with("/play", &[("traceparent", UNSAMPLED)])
            .status,
        200
    );
    assert_eq!(undecided.get("/play").status, 200);
    let _ = undecided.span();
    let always = Kit::<S>::with(|policy| policy.sampler(Always));
    assert_eq!(
        always
            .get_with("/play", &[("traceparent", UNSAMPLED)])
            .status,
        200
    );
    assert_eq!(trace(&always.span()), TRACE);
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

/// Contexts and baggage travel in messages of any kind, read and written by the policy itself.
pub fn contexts_travel_in_messages_of_any_kind<S: Server>() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let producer = tracing.span("produce").start();
    producer.set_baggage_item("tenant", "blue");
    let context = producer.context().expect("a context");
    let mut message = std::collections::BTreeMap::new();
    tracing.inject(&context, &mut message);
    let headers: Vec<(&str, &str)> = message
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let kit = Kit::<S>::new();
    assert_eq!(kit.get_with("/play", &headers).status, 200);
    let span = kit.span();
    assert_eq!(span.parent_id(), Some(context.span_id()));
    assert_eq!(span.baggage().get("tenant"), Some("blue"));
    let read = tracing.extract(&headers.as_slice()).expect("a context");
    assert_eq!(read.span_id(), context.span_id());
    assert!(
        tracing
            .extract(&[("traceparent", "malformed")].as_slice())
            .is_none()
    );
    producer.finish();
    assert_eq!(tracer.take().len(), 1);
}
