//! Which callers are trusted, and for what.

use opentracing_http::report::ReferenceKind;
use opentracing_http::sampler::Never;
use opentracing_http::{Attribute, Forwarded, Network, SemanticConvention, Trust};

use crate::server::cases::{
    PARENT, TRACE, TRACEPARENT, assert_decision, assert_tags, peer, text, trace,
};
use crate::server::{Kit, Server};

/// Trust can be a predicate's of the request.
pub fn trust_can_ask_the_request<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.trust(Trust::when(|request| {
            request.header("x-inside") == Some(&b"yes"[..])
        }))
    });
    let traceparent = ("traceparent", TRACEPARENT);
    for (headers, trusted) in [
        (&[traceparent, ("x-inside", "yes")][..], true),
        (&[traceparent, ("x-inside", "no")], false),
        (&[traceparent], false),
    ] {
        let span = kit.span_of_with("/play", headers);
        assert_eq!(trace(&span) == TRACE, trusted, "{headers:?}");
        let kinds: Vec<_> = span.references().map(|found| found.kind).collect();
        let kind = match trusted {
            true => ReferenceKind::ChildOf,
            false => ReferenceKind::FollowsFrom,
        };
        assert_eq!(kinds, [kind], "{headers:?}");
    }
}

pub(crate) const DEBUG: [&[(&str, &str)]; 6] = [
    &[("jaeger-debug-id", "ticket-1")],
    &[(
        "uber-trace-id",
        "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:3",
    )],
    &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d")],
    &[
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", PARENT),
        ("x-b3-flags", "1"),
    ],
    // Without ids.
    &[("b3", "d")],
    &[("x-b3-flags", "1")],
];

/// A debug request of the trusted is recorded whatever the sampler decides, and is propagated as one.
pub fn debug_overrides_the_sampler_once_allowed<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy
            .sampler(Never)
            .trust_debug(Trust::when(|request| request.header("x-inside").is_some()))
    });
    for headers in DEBUG {
        kit.get_ok_with("/play", headers);
        let headers: Vec<_> = headers.iter().copied().chain([("x-inside", "1")]).collect();
        let response = kit.get_with("/play", &headers);
        assert_decision(&response, ("uber-trace-id", ":3"), &headers);
        let span = kit.span();
        assert!(span.context().flags().is_debug());
        let id = (headers[0].0 == "jaeger-debug-id").then(|| "ticket-1".to_owned());
        assert_eq!(text(&span, "jaeger-debug-id"), id);
    }
}

/// Forwarded addresses can be written by anyone, and do not count.
pub fn forwarded_address_is_ignored_by_default<S: Server>() {
    let kit = Kit::<S>::new();
    let headers = [
        ("x-forwarded-for", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
    ];
    kit.get_ok_with("/play", &headers);
    assert_eq!(text(&kit.span(), "peer.ipv4"), peer::<S>("127.0.0.1"));
}

/// The client's address is that before the trusted hops, from either header; what stands further left may be invented.
pub fn forwarded_address_counts_from_trusted_hops<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.forwarded(Forwarded::hops(1)));
    for (headers, expected) in [
        (
            [("x-forwarded-for", "6.6.6.6, 203.0.113.7")],
            ("peer.ipv4", "203.0.113.7"),
        ),
        (
            [("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:4711\"")],
            ("peer.ipv6", "2001:db8::1"),
        ),
    ] {
        let span = kit.span_of_with("/play", &headers);
        assert_eq!(text(&span, expected.0).as_deref(), Some(expected.1));
        assert_eq!(span.tag("peer.port"), None, "the port was the proxy's");
    }
}

/// The client's address is that before the proxies of trusted networks, the first of which is the connection's other end.
pub fn forwarded_address_counts_from_trusted_networks<S: Server>() {
    let client = |network: &str| {
        let network: Network = network.parse().expect("a network");
        let kit = Kit::<S>::with(|policy| policy.forwarded(Forwarded::networks([network])));
        let headers = [("x-forwarded-for", "6.6.6.6, 203.0.113.7")];
        text(&kit.span_of_with("/play", &headers), "peer.ipv4")
    };
    for inside in ["127.0.0.0/8", "127.0.0.1/32", "126.0.0.0/7", "0.0.0.0/0"] {
        // Where every address is a proxy's the left-most is the client.
        let client_is = if inside == "0.0.0.0/0" {
            "6.6.6.6"
        } else {
            "203.0.113.7"
        };
        assert_eq!(client(inside), peer::<S>(client_is), "{inside}");
    }
    for outside in ["10.0.0.0/8", "127.0.0.2/32", "128.0.0.0/1", "::/0"] {
        assert_eq!(client(outside), peer::<S>("127.0.0.1"), "{outside}");
    }
}

/// A list may have several lines, empty elements, and commas in quoted strings; a header without an element is not there.
pub fn forwarded_lists_are_read_over_lines_and_empty_elements<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.forwarded(Forwarded::hops(2)));
    let (common, standard) = ("x-forwarded-for", "forwarded");
    for headers in [
        &[
            (common, "6.6.6.6, 203.0.113.7,"),
            (common, ", 10.0.0.1:99999"),
        ][..],
        &[
            (standard, "for=6.6.6.6, for=203.0.113.7;by=\"a,b\""),
            (common, " "),
            (standard, "for=\"[fe80::1%25eth0]:443\","),
        ],
    ] {
        kit.get_ok_with("/play", headers);
        let client = text(&kit.span(), "peer.ipv4");
        assert_eq!(client.as_deref(), Some("203.0.113.7"), "{headers:?}");
    }
}

/// Scheme, host and port can be written by anyone, and do not count; those of a trusted proxy do, the host with a switch of
/// its own.
pub fn forwarded_origin_counts_from_trusted_hops<S: Server>() {
    let kit = |forwarded: Forwarded| {
        Kit::<S>::with(|policy| {
            policy
                .forwarded(forwarded)
                .convention(SemanticConvention::Both)
                .attributes([Attribute::URL, Attribute::HOST, Attribute::SCHEME])
        })
    };
    let standard = [(
        "forwarded",
        "for=6.6.6.6;host=six.example, for=203.0.113.7;proto=https;host=\"shop.example:8443\"",
    )];
    let common = [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "six.example, shop.example"),
        ("x-forwarded-port", "8443"),
    ];
    let one = Forwarded::hops(1);
    for (kit, headers, scheme, host, port) in [
        (
            kit(Forwarded::nobody()),
            &standard[..],
            "http",
            "test.example",
            80,
        ),
        (
            kit(Forwarded::nobody()),
            &common,
            "http",
            "test.example",
            80,
        ),
        (kit(one.clone()), &standard, "https", "test.example", 443),
        (kit(one.clone()), &common[..2], "https", "test.example", 443),
        (
            kit(one.clone()),
            &common,
            "https",
            "test.example:8443",
            8443,
        ),
        (
            kit(one.clone().host(true)),
            &standard,
            "https",
            "shop.example:8443",
            8443,
        ),
        (
            kit(one.host(true)),
            &common,
            "https",
            "shop.example:8443",
            8443,
        ),
    ] {
        let span = kit.span_of_with("/play", headers);
        let url = format!("{scheme}://{host}/play");
        for (key, expected) in [
            ("http.url", &*url),
            ("url", &url),
            ("url.scheme", scheme),
            ("scheme", scheme),
            ("host", host),
            ("server.address", host.trim_end_matches(":8443")),
        ] {
            assert_eq!(
                text(&span, key).as_deref(),
                Some(expected),
                "{key}: {headers:?}"
            );
        }
        assert_tags(&span, &[("server.port", port)]);
    }
}

/// The scheme of a request over a connection without TLS is the policy's, unless a trusted proxy reports one.
pub fn scheme_of_the_policy_is_that_of_urls<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        let policy = policy.scheme("https").forwarded(Forwarded::hops(1));
        policy.convention(SemanticConvention::Both)
    });
    for (headers, scheme) in [
        (&[][..], "https"),
        (&[("x-forwarded-proto", "http")], "http"),
    ] {
        let span = kit.span_of_with("/play", headers);
        assert_tags(
            &span,
            &[("http.url", format!("{scheme}://test.example/play"))],
        );
        assert_tags(&span, &[("url.scheme", scheme)]);
    }
}
