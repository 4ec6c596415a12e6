//! Whose headers count.

use http::{HeaderMap, HeaderValue};
use opentracing_http::propagation::Propagation;
use opentracing_http::report::ReferenceKind;
use opentracing_http::sampler::Never;
use opentracing_http::{Forwarded, Network, Span, Trust};

use crate::app::{Reply, injected as inject};
use crate::server::cases::{
    DEBUG, PARENT, TRACE, TRACEPARENT, UNSAMPLED, assert_decision, assert_injected, injected,
    parent, text, trace,
};
use crate::server::{Feature, Kit, Server};

/// Ids, sampled flag and baggage of every caller count.
pub fn trusts_every_caller_by_default<S: Server>() {
    let kit = Kit::<S>::new();
    let baggage = ("baggage", "tenant=blue");
    let response = kit.get_with("/play", &[("traceparent", TRACEPARENT), baggage]);
    let span = kit.span();
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    assert_injected(&response, &[("baggage", "tenant=blue")]);
    let response = kit.get_with("/play", &[("traceparent", UNSAMPLED), baggage]);
    assert_injected(&response, &[("baggage", "tenant=blue")]);
}

/// A caller that is not trusted decides nothing: its context becomes a reference, its sampling and baggage are ignored.
pub fn caller_that_is_not_trusted_becomes_a_reference<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.trust(Trust::nobody()));
    let response = kit.get_with(
        "/play",
        &[
            ("traceparent", UNSAMPLED),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=blue"),
        ],
    );
    let span = kit.span();
    assert_eq!(span.references().count(), 1);
    let reference = span.references().next().expect("a reference");
    assert_eq!(reference.kind, ReferenceKind::FollowsFrom);
    assert_eq!(reference.context.trace_id().to_string(), TRACE);
    assert_eq!(reference.context.span_id().to_string(), PARENT);
    assert_ne!(trace(&span), TRACE);
    assert!(span.context().flags().is_sampled());
    assert_eq!(
        (
            injected(&response, "tracestate"),
            injected(&response, "baggage")
        ),
        (None, None)
    );
}

/// Of a caller that is not trusted only ids and flags are read: neither is its reference more than that, nor is anything
/// else of it refused and counted.
pub fn nothing_but_ids_is_read_of_a_caller_that_is_not_trusted<S: Server>() {
    for trust in [Trust::nobody(), Trust::when(|_| false)] {
        let kit = Kit::<S>::with(|policy| policy.trust(trust.clone()).trust_debug(trust));
        let headers = [
            ("traceparent", TRACEPARENT),
            ("tracestate", "vendor=1,="),
            ("baggage", "tenant=blue,bad"),
            ("uberctx-", "bad"),
            ("jaeger-baggage", "bad"),
            ("jaeger-debug-id", "find-me"),
        ];
        let span = kit.span_of_with("/play", &headers);
        let reference = span.references().next().expect("a reference");
        assert_eq!(reference.context.span_id().to_string(), PARENT);
        assert!(
            reference.context.tracestate().is_empty() && reference.context.baggage().is_empty()
        );
        assert_eq!(text(&span, "jaeger-debug-id"), None);
        let refused: u64 = kit.tracing().refusals().map(|(_, count)| count).sum();
        assert_eq!(refused, 0);
    }
}

/// A proxy copies what came in, then injects: of a caller that is not trusted nothing goes on, in whichever format that is
/// read, even where it is not written.
pub fn proxy_passes_nothing_on_of_a_caller_that_is_not_trusted<S: Server>() {
    let b3 = "cccccccccccccccccccccccccccccccc-dddddddddddddddd-d";
    let copied = [
        ("b3", b3),
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", PARENT),
        ("x-b3-parentspanid", PARENT),
        ("x-b3-sampled", "1"),
        ("x-b3-flags", "1"),
        ("uber-trace-id", "aaaa:bb:0:3"),
        ("uberctx-role", "admin"),
        ("jaeger-baggage", "role=admin"),
        ("jaeger-debug-id", "find-me"),
        ("baggage", "role=admin"),
        ("tracestate", "vendor=1"),
        ("accept", "text/plain"),
    ];
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.trust(Trust::nobody()))
        .play(move |_| {
            let mut headers = HeaderMap::new();
            for (name, value) in copied {
                headers.insert(name, HeaderValue::from_static(value));
            }
            Span::current().inject(&mut headers);
            let mut lines: Vec<_> = (headers.iter())
                .map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("text")))
                .collect();
            lines.sort();
            async move { Reply::text(lines.concat()) }
        })
        .start();
    let text = kit.get_with("/play", &copied).text();
    let span = kit.span();
    let (trace, id) = (span.context().trace_id(), span.context().span_id());
    assert_eq!(
        text,
        format!(
            "accept: text/plain\ntraceparent: 00-{trace}-{id}-03\nuber-trace-id: {trace}:{id}:0:1\n"
        )
    );
    // A receiver that reads all formats finds our span, and nothing of the caller's.
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let found = Propagation::default().extract(&lines.collect::<Vec<_>>());
    assert_eq!(found.context().map(|found| found.span_id()), Some(id));
    assert!(found.baggage().is_empty() && found.debug_id().is_none());
}

/// No one's debug request counts: the sampler decides.
pub fn debug_is_ignored_until_it_is_allowed<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.sampler(Never));
    for headers in DEBUG {
        let response = kit.get_with("/play", headers);
        assert_decision(&response, ("uber-trace-id", ":0"), headers);
    }
}

/// The debug flag of a request that is sampled anyhow does not go on, unless it is allowed.
pub fn debug_flag_that_is_not_allowed_ends_here<S: Server>() {
    let kit = Kit::<S>::new();
    for headers in DEBUG {
        let response = kit.get_with("/play", headers);
        assert_decision(&response, ("uber-trace-id", ":1"), headers);
        assert_eq!(kit.span().tag("jaeger-debug-id"), None);
    }
}

/// Jaeger's debug flag without its sampled flag, which some senders set for every trace that is not sampled, is not sampled;
/// a caller that is trusted with debug gets it.
pub fn debug_without_sampled_is_not_sampled_until_debug_is_allowed<S: Server>() {
    let ids = "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:";
    let kit = Kit::<S>::new();
    for flags in ["2", "02", "a"] {
        let header = format!("{ids}{flags}");
        let response = kit.get_with("/play", &[("uber-trace-id", &header)]);
        for sent in [("uber-trace-id", ":0:0"), ("traceparent", "-00")] {
            assert_decision(&response, sent, flags);
        }
    }
    let sampled = kit.get_with("/play", &[("uber-trace-id", &format!("{ids}03"))]);
    assert_decision(&sampled, ("uber-trace-id", ":0:1"), ());
    drop(kit.span());

    let allowed = Kit::<S>::with(|policy| policy.sampler(Never).trust_debug(Trust::everyone()));
    let response = allowed.get_with("/play", &[("uber-trace-id", &format!("{ids}02"))]);
    assert_decision(&response, ("uber-trace-id", ":0:3"), ());
    assert!(allowed.span().context().flags().is_debug());
}

/// A debug request of the trusted whose handler decides not to sample goes on as neither.
pub fn debug_ends_where_the_handler_does_not_sample<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.trust_debug(Trust::everyone()))
        .play(|_| {
            Span::current().set_tag("sampling.priority", 0);
            async { Reply::text(inject()) }
        })
        .start();
    for headers in DEBUG {
        let response = kit.get_with("/play", headers);
        assert_decision(&response, ("uber-trace-id", ":0:0"), headers);
    }
}

/// Networks are of IPv4 or of IPv6 addresses, to the bit; what is no network is an error.
pub fn trusted_networks_count_to_the_bit<S: Server>() {
    let client = |network: &str| {
        let networks = ["127.0.0.0/8", network].map(|network| network.parse::<Network>());
        let networks = networks.map(|network| network.expect("a network"));
        let kit = Kit::<S>::with(|policy| policy.forwarded(Forwarded::networks(networks)));
        let headers = [("x-forwarded-for", "203.0.113.7, 2001:db8:8000::5")];
        let span = kit.span_of_with("/play", &headers);
        text(&span, "peer.ipv4").or(text(&span, "peer.ipv6"))
    };
    let peer = S::CAPABILITIES.has(Feature::Peer);
    for inside in [
        "2001:db8::/32",
        "2001:db8:8000::/33",
        "2001:db8:8000::5",
        "::/0",
    ] {
        assert_eq!(
            client(inside),
            peer.then(|| "203.0.113.7".to_owned()),
            "{inside}"
        );
    }
    for outside in [
        "2001:db8::/33",
        "2001:db8:8000::4/128",
        "a001:db8::/1",
        "32.1.13.184/8",
    ] {
        let proxy = peer.then(|| "2001:db8:8000::5".to_owned());
        assert_eq!(client(outside), proxy, "{outside}");
    }
    for wrong in [
        "127.0.0.1/33",
        "::/129",
        "127.0.0/8",
        "127.0.0.1/",
        "/8",
        "localhost",
    ] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}

/// Where both headers are there they must name the same client: a proxy that writes one passes the other on as it came.
pub fn forwarded_headers_that_disagree_are_not_believed<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.forwarded(Forwarded::hops(1)));
    for (forwarded, client) in [
        ("for=203.0.113.7", Some("203.0.113.7")),
        ("for=6.6.6.6", None),
    ] {
        let headers = [("x-forwarded-for", "203.0.113.7"), ("forwarded", forwarded)];
        kit.get_ok_with("/play", &headers);
        let peer = S::CAPABILITIES.has(Feature::Peer).then_some("127.0.0.1");
        assert_eq!(text(&kit.span(), "peer.ipv4").as_deref(), client.or(peer));
    }
}

/// Where both kinds of headers are there, a scheme or a host counts only if both report it: a client can write its own address
/// into the one that the proxy does not write.
pub fn forwarded_origin_has_to_be_reported_alike<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.forwarded(Forwarded::hops(1).host(true)));
    let (hops, proto, host) = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host");
    let standard = ("forwarded", "for=203.0.113.7;proto=https;host=shop.example");
    let client = (hops, "203.0.113.7");
    for (headers, url) in [
        (
            &[standard, client, (proto, "https"), (host, "shop.example")][..],
            "https://shop.example/play",
        ),
        (
            &[standard, client, (proto, "https")],
            "https://test.example/play",
        ),
        (
            &[standard, client, (host, "shop.example")],
            "http://shop.example/play",
        ),
        (&[standard, client], "http://test.example/play"),
        (
            &[standard, client, (proto, "http"), (host, "a.example")],
            "http://test.example/play",
        ),
    ] {
        let span = kit.span_of_with("/play", headers);
        assert_eq!(text(&span, "http.url").as_deref(), Some(url), "{headers:?}");
        assert_eq!(text(&span, "peer.ipv4").as_deref(), Some("203.0.113.7"));
    }
}
