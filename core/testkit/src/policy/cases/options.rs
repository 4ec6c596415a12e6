//! The policy's options: what is an error, what a pattern matches, and a tracer that fails.

use opentracing_http::sampler::{Probability, RateLimit};
use opentracing_http::{
    FinishedSpan, Forwarded, HttpTracing, HttpTracingBuilder, Limits, NoopTracer, Pattern, Span,
    Tracer,
};

use crate::app::{Reply, injected as inject};
use crate::server::cases::injected;
use crate::server::{Kit, Server};

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
            error(|policy| policy.forwarded(Forwarded::nobody().host(true))),
            &["forwarded", "Forwarded::hops"],
        ),
        (
            error(|policy| policy.scheme("ftp")),
            &["scheme", "ftp", "`https` or `http`"],
        ),
        (
            error(|policy| {
                let mut limits = Limits::default();
                limits.value_bytes = 0;
                policy.limits(limits)
            }),
            &["limits", "value_bytes"],
        ),
        // The first one is reported.
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

/// A tracer that panics in whatever it does fails no request, and what is called from there is still within the trace.
pub fn failing_tracer_does_not_fail_the_request<S: Server>() {
    struct Failing;
    impl Tracer for Failing {
        fn started(&self, _: &Span) {
            panic!("a tracer fails");
        }

        fn report(&self, _: FinishedSpan) {
            panic!("a tracer fails");
        }
    }
    let kit = Kit::<S>::setup()
        .tracer(Failing)
        .policy(|policy| policy.on_finish(|_| {}))
        .play(|_| async { Reply::text(inject()) })
        .caught_panics(2)
        .start();
    let response = kit.get("/play");
    assert_eq!(response.status, 200);
    assert!(injected(&response, "traceparent").is_some());
    kit.wait_for_caught_panics();
}
