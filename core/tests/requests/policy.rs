//! Options of the policy: trust in callers, conventions, callbacks, clocks.

use super::*;

/// A request with a peer, which `http` requests do not have.
struct From(Request<()>, SocketAddr);

impl RequestView for From {
    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }
    fn method(&self) -> &str {
        RequestView::method(&self.0)
    }
    fn path(&self) -> &str {
        self.0.path()
    }
    fn query(&self) -> Option<&str> {
        self.0.query()
    }
    fn peer(&self) -> Option<SocketAddr> {
        Some(self.1)
    }
    fn version(&self) -> Option<http::Version> {
        Some(http::Version::HTTP_2)
    }
}

#[test]
fn the_opentelemetry_convention_is_complete() {
    let harness = policy(|policy| {
        policy
            .convention(SemanticConvention::OpenTelemetry)
            .query_redaction(QueryRedaction::signatures())
            .forwarded(Forwarded::hops(1))
    });
    let headers = [
        ("host", "[2001:db8::1]:8443"),
        ("user-agent", "curl"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    let view = From(
        get("/a/b?page=2&sig=x", &headers),
        "[::ffff:10.0.0.1]:4711".parse().unwrap(),
    );
    let mut span = harness.instrumentation.begin(&view);
    span.set_route(Route::Template("/a/{x}"));
    assert!(respond(span, 503, BodySize::Empty).is_none());
    let span = harness.only();
    let mut tags: Vec<(String, Value)> = span
        .tags()
        .into_iter()
        .map(|tag| (tag.key.into_owned(), tag.value))
        .collect();
    tags.retain(|(key, _)| key != "http.time_to_head_us");
    let expected: Vec<(String, Value)> = [
        ("span.kind", "server".into()),
        ("http.request.method", "GET".into()),
        ("url.scheme", "http".into()),
        ("url.path", "/a/b".into()),
        ("url.query", "page=2&sig=REDACTED".into()),
        ("http.response.status_code", 503.into()),
        ("error.type", "503".into()),
        ("server.address", "2001:db8::1".into()),
        ("server.port", 8443.into()),
        ("network.protocol.version", "2".into()),
        ("client.address", "203.0.113.9".into()),
        ("network.peer.address", "10.0.0.1".into()),
        ("network.peer.port", 4711.into()),
        ("user_agent.original", "curl".into()),
        ("http.route", "/a/{x}".into()),
    ]
    .map(|(key, value): (&str, Value)| (key.to_owned(), value))
    .into();
    assert_eq!(tags, expected);

    let both = policy(|policy| policy.convention(SemanticConvention::Both));
    let span = both.answer(&get("/x", &[("host", "a.example")]), 200);
    assert_eq!(
        tag(&span, "http.url").as_deref(),
        Some("http://a.example/x")
    );
    assert_eq!(
        (
            tag(&span, "url.path").as_deref(),
            tag(&span, "server.port").as_deref()
        ),
        (Some("/x"), Some("80"))
    );
    assert_eq!(tag(&span, "error.type"), None);
}

#[test]
fn an_untrusted_caller_becomes_a_reference_and_decides_nothing() {
    let harness = policy(|policy| policy.trust(Trust::nobody()));
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let request = get(
        "/",
        &[
            ("traceparent", unsampled),
            ("tracestate", "a=b"),
            ("baggage", "user=mallory"),
        ],
    );
    let span = harness.answer(&request, 200);
    assert_ne!(span.context().trace_id().to_string(), TRACE);
    assert_eq!(
        (
            span.parent_id(),
            span.baggage().len(),
            span.context().tracestate().as_str()
        ),
        (None, 0, "")
    );
    let references: Vec<_> = span.references().collect();
    assert_eq!(references.len(), 1);
    assert_eq!(references[0].kind.as_str(), "follows_from");
    assert_eq!(references[0].context.trace_id().to_string(), TRACE);

    let some = policy(|policy| {
        policy.trust(Trust::when(|request| {
            request.header("x-internal").is_some()
        }))
    });
    let inside = some.answer(
        &get("/", &[("traceparent", TRACEPARENT), ("x-internal", "1")]),
        200,
    );
    assert_eq!(inside.context().trace_id().to_string(), TRACE);
    assert_ne!(
        some.answer(&get("/", &[("traceparent", TRACEPARENT)]), 200)
            .context()
            .trace_id()
            .to_string(),
        TRACE
    );
}

#[test]
fn panic_in_a_trust_rule_is_no_trust() {
    let harness = policy(|policy| {
        policy
            .trust(Trust::when(|_| panic!("as asked for")))
            .trust_debug(Trust::when(|_| panic!("as asked for")))
    });
    let headers = [("traceparent", TRACEPARENT), ("baggage", "role=admin")];
    let span = harness.answer(&get("/", &headers), 200);
    assert_ne!(span.context().trace_id().to_string(), TRACE);
    assert_eq!((span.parent_id(), span.baggage().len()), (None, 0));
    let kinds: Vec<_> = span.references().map(|found| found.kind.as_str()).collect();
    assert_eq!(kinds, ["follows_from"]);
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 1);

    let debug = policy(|policy| {
        policy
            .sampler(opentracing_http::sampler::Never)
            .trust_debug(Trust::when(|_| panic!("as asked for")))
    });
    drop(debug.begin(&get("/", &[("jaeger-debug-id", "ticket-1")])));
    assert!(debug.tracer.finished().is_empty());
    assert_eq!(debug.instrumentation.tracing().caught_panics(), 1);
}

#[test]
fn debug_counts_only_where_it_is_allowed() {
    use opentracing_http::sampler::Never;
    let request = get("/", &[("jaeger-debug-id", "why-so-slow")]);
    let ignoring = defaults();
    let span = ignoring.answer(&request, 200);
    assert!(!span.context().flags().is_debug());
    assert_eq!(tag(&span, "jaeger-debug-id"), None);

    let allowing = policy(|policy| policy.sampler(Never).trust_debug(Trust::everyone()));
    let span = allowing.answer(&request, 200);
    assert!(span.context().flags().is_debug() && span.context().flags().is_sampled());
    assert_eq!(
        tag(&span, "jaeger-debug-id").as_deref(),
        Some("why-so-slow")
    );
    let with_ids = get(
        "/",
        &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d")],
    );
    assert!(allowing.answer(&with_ids, 200).context().flags().is_debug());
    let span = ignoring.answer(&with_ids, 200);
    assert!(span.context().flags().is_sampled() && !span.context().flags().is_debug());
}

#[test]
fn a_decision_without_ids_is_followed() {
    let harness = defaults();
    let refused = harness.begin(&get("/", &[("b3", "0")]));
    let context = refused.span().context().unwrap();
    assert!(!refused.span().is_recording() && !context.flags().is_sampled());
    drop(refused);
    assert!(harness.tracer.finished().is_empty());
    assert!(
        harness
            .answer(&get("/", &[("b3", "1")]), 200)
            .context()
            .flags()
            .is_sampled()
    );
}

#[test]
fn callbacks_see_every_request_recorded_or_not() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let harness = policy(move |policy| {
        policy.skip("/skipped").on_finish(move |end| {
            let recording = end.span.is_recording();
            let route = matches!(end.route, Route::Template("/x"));
            log.lock().unwrap().push((
                end.method.to_owned(),
                route,
                end.status,
                end.outcome,
                end.body_bytes,
                recording,
            ));
        })
    });
    for path in ["/recorded", "/skipped"] {
        let mut span = harness.begin(&get(path, &[]));
        span.set_route(Route::Template("/x"));
        drop(respond(span, 200, BodySize::Exact(5)));
        drop(harness.begin(&get(path, &[])));
    }
    use Outcome::{BodyAbandoned, Cancelled, Completed};
    let method = "GET".to_owned();
    let expected = [
        (method.clone(), true, Some(200), BodyAbandoned, 0, true),
        (method.clone(), false, None, Cancelled, 0, true),
        (method.clone(), true, Some(200), Completed, 5, false),
        (method.clone(), false, None, Cancelled, 0, false),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn the_trace_id_goes_back_where_it_is_asked_for() {
    let answer = |header| {
        let harness = policy(|policy| match header {
            Some(header) => policy.return_trace_id(header),
            None => policy,
        });
        let mut headers = HeaderMap::new();
        headers.insert("server-timing", "db;dur=5".parse().unwrap());
        let span = harness.begin(&get("/", &[("traceparent", TRACEPARENT)]));
        drop(span.respond(&mut response(200, &mut headers, BodySize::Empty)));
        headers
    };
    assert_eq!(answer(None).len(), 1);
    // W3C's version, the caller's trace, a span of its own.
    let ids = |text: &str| {
        assert!(text.starts_with(&TRACEPARENT[..36]), "{text}");
        assert_eq!((text.len(), &text[52..]), (55, "-01"));
        text.to_owned()
    };
    let headers = answer(Some(TraceIdHeader::TraceResponse));
    ids(headers["traceresponse"].to_str().unwrap());
    for (header, names) in [
        (
            TraceIdHeader::ServerTiming,
            &["trace;desc=", "traceparent;desc=\""][..],
        ),
        (TraceIdHeader::ServerTimingTrace, &["trace;desc="]),
        (
            TraceIdHeader::ServerTimingTraceparent,
            &["traceparent;desc=\""],
        ),
    ] {
        let headers = answer(Some(header));
        let values: Vec<_> = headers.get_all("server-timing").iter().collect();
        // One header beside the handler's own, with an entry for each.
        let [own, value] = values[..] else {
            panic!("{values:?}")
        };
        assert_eq!(own, "db;dur=5");
        let entries: Vec<_> = value.to_str().unwrap().split(", ").collect();
        assert_eq!(entries.len(), names.len(), "{entries:?}");
        let told = entries.iter().zip(names).map(|(entry, name)| {
            let entry = entry.strip_prefix(name).unwrap();
            ids(match name.ends_with('"') {
                true => entry.strip_suffix('"').unwrap(),
                false => entry,
            })
        });
        let told: Vec<_> = told.collect();
        assert!(told.iter().all(|ids| *ids == told[0]), "{told:?}");
    }
    let headers = answer(Some(TraceIdHeader::Named(http::HeaderName::from_static(
        "x-trace",
    ))));
    assert_eq!(headers["x-trace"], TRACE);
}

#[test]
fn flags_for_browser_agents_are_those_of_the_sampled_bit_alone() {
    let harness = policy(|policy| policy.return_trace_id(TraceIdHeader::ServerTiming));
    let timing = |request: &Request<()>| {
        let mut headers = HeaderMap::new();
        let span = harness.begin(request);
        drop(span.respond(&mut response(200, &mut headers, BodySize::Empty)));
        headers["server-timing"].to_str().unwrap().to_owned()
    };
    // A trace that begins here has random ids, and a flag for it.
    let begun = timing(&get("/", &[]));
    assert!(begun.contains("-03, traceparent"), "{begun}");
    assert!(begun.ends_with("-01\""), "{begun}");
    let unsampled = TRACEPARENT.replace("-01", "-00");
    let unsampled = timing(&get("/", &[("traceparent", &unsampled)]));
    assert!(unsampled.contains("-00, traceparent"), "{unsampled}");
    assert!(unsampled.ends_with("-00\""), "{unsampled}");
}

#[test]
fn clock_and_ids_are_options() {
    #[derive(Debug)]
    struct Fixed(Mutex<u64>);
    impl Clock for Fixed {
        fn wall(&self) -> std::time::SystemTime {
            std::time::SystemTime::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap() += 1;
            Duration::from_secs(*self.0.lock().unwrap())
        }
    }
    #[derive(Debug)]
    struct Ones;
    impl IdSource for Ones {
        fn trace_id(&self) -> TraceId {
            TraceId::new(1).unwrap()
        }
        fn span_id(&self) -> SpanId {
            SpanId::new(1).unwrap()
        }
    }
    let harness = policy(|policy| policy.clock(Fixed(Mutex::new(0))).ids(Ones));
    let span = harness.answer(&get("/", &[]), 200);
    assert_eq!(span.context().trace_id().get(), 1);
    assert_eq!(span.duration(), Duration::from_secs(2));
    assert_eq!(
        span.http().unwrap().time_to_head(),
        Some(Duration::from_secs(1))
    );
}

/// The headers that go out from a span.
fn injected(span: &Span) -> HeaderMap {
    let mut headers = HeaderMap::new();
    span.inject(&mut headers);
    headers
}

#[test]
fn an_untraced_request_has_no_recorded_children_and_passes_its_context_on() {
    use opentracing_http::propagation::{B3, Propagation};
    let skipping = policy(|policy| policy.skip("/*"));
    let span = skipping.begin(&get("/", &[("traceparent", TRACEPARENT)]));
    let child = span.span().child("part");
    assert!(!child.is_recording());
    assert_eq!(injected(&child)["traceparent"], TRACEPARENT);
    drop((child, span));
    assert!(skipping.tracer.finished().is_empty());

    let b3 = Propagation::none().read(B3::single()).write(B3::single());
    let skipping = policy(|policy| policy.skip("/*").propagation(b3));
    let undecided = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    let span = skipping.begin(&get("/", &[("b3", undecided)]));
    assert_eq!(injected(&span.span().child("part"))["b3"], undecided);
}

#[test]
fn what_came_without_ids_is_passed_on_as_well() {
    let tracing = HttpTracing::new(opentracing_http::NoopTracer);
    let noop = Instrumentation::new(&tracing, "test");
    let skipping = policy(|policy| policy.skip("/*"));
    for instrumentation in [&noop, &skipping.instrumentation] {
        let span = instrumentation.begin(&get("/", &[("baggage", "user=ada")]));
        let child = span.span().child("part");
        for span in [span.span(), &*child] {
            assert_eq!(span.baggage_item("user").as_deref(), Some("ada"));
            let headers = injected(span);
            assert_eq!(headers["baggage"], "user=ada");
            assert!(!headers.contains_key("traceparent"));
        }
        let span = instrumentation.begin(&get("/", &[("b3", "0"), ("baggage", "user=ada")]));
        let context = span.span().context().unwrap();
        assert!(!context.flags().is_sampled());
        assert_eq!(context.baggage().get("user"), Some("ada"));
    }
    let strict = policy(|policy| policy.skip("/*").trust(Trust::nobody()));
    let headers = [
        ("traceparent", TRACEPARENT),
        ("baggage", "user=ada"),
        ("b3", "0"),
    ];
    let span = strict.begin(&get("/", &headers));
    assert!(injected(span.span()).is_empty() && span.span().baggage_item("user").is_none());
}

#[test]
fn priority_on_what_is_left_untraced_has_its_children_recorded() {
    let harness = policy(|policy| policy.skip("/*"));
    for headers in [&[][..], &[("traceparent", TRACEPARENT)]] {
        let span = harness.begin(&get("/", headers));
        span.span().set_tag("sampling.priority", 1);
        span.span().set_baggage_item("user", "ada");
        span.span().child("part").finish();
        let spans = harness.tracer.take();
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].baggage().get("user"), Some("ada"));
        assert!(spans[0].context().flags().is_sampled());
    }
}

#[test]
fn an_inner_mount_point_within_a_skipped_child_starts_no_second_span() {
    let harness = defaults();
    let request = get("/", &[]);
    let mut span = harness.begin(&request);
    span.scope(|| {
        let child = Span::current()
            .build_child("part")
            .tag("sampling.priority", 0)
            .start();
        let joined = child.in_scope(|| harness.instrumentation.begin(&Marked(&request)));
        assert!(!joined.is_outermost());
    });
    drop(span);
    assert_eq!(outcome(&harness.only()), Outcome::Cancelled);
}

#[test]
fn two_requests_of_one_caller_do_not_share_what_is_set_later() {
    let harness = policy(|policy| policy.skip("/*"));
    let begin = || harness.begin(&get("/", &[("traceparent", TRACEPARENT)]));
    let (one, two) = (begin(), begin());
    two.span().in_scope(|| {
        Span::current().set_baggage_item("user", "ada");
        assert_eq!(one.span().baggage_item("user"), None);
    });
    assert_eq!(two.span().baggage_item("user").as_deref(), Some("ada"));
}

#[test]
fn a_clock_and_ids_that_panic_harm_no_one() {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[derive(Debug)]
    struct Broken;
    impl Clock for Broken {
        fn wall(&self) -> std::time::SystemTime {
            panic!("as asked for")
        }
        fn monotonic(&self) -> Duration {
            panic!("as asked for")
        }
    }
    impl IdSource for Broken {
        fn trace_id(&self) -> TraceId {
            panic!("as asked for")
        }
        fn span_id(&self) -> SpanId {
            panic!("as asked for")
        }
    }
    let harness = policy(|policy| policy.clock(Broken).ids(Broken));
    assert_eq!(
        outcome(&harness.answer(&get("/", &[]), 200)),
        Outcome::Completed
    );
    // Also while a panic unwinds already, when a second panic would abort the process.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut span = harness.begin(&get("/", &[]));
        span.scope(|| panic!("as asked for"));
    }));
    assert!(caught.is_err());
    assert_eq!(outcome(&harness.only()), Outcome::Panicked);
    assert!(harness.instrumentation.tracing().caught_panics() > 8);
}
