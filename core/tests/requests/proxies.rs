//! The origin of a request, as trusted proxies report it.

use opentracing_http::Network;

use super::*;

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Returns a policy that shows every fact of the origin, in every way.
pub(super) fn shown(forwarded: Forwarded) -> Harness {
    policy(|policy| {
        policy
            .forwarded(forwarded)
            .convention(SemanticConvention::Both)
            .attributes([Attribute::URL, Attribute::HOST, Attribute::SCHEME])
    })
}

/// A request with an address.
struct From<'a>(&'a Request<()>, Option<&'a str>);

impl RequestView for From<'_> {
    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }
    fn method(&self) -> &str {
        self.0.method().as_str()
    }
    fn path(&self) -> &str {
        self.0.uri().path()
    }
    fn scheme(&self) -> Option<&str> {
        self.0.uri().scheme_str()
    }
    fn authority(&self) -> Option<&str> {
        Some(self.0.uri().authority()?.as_str())
    }
    fn peer(&self) -> Option<SocketAddr> {
        self.1.map(|peer| peer.parse().unwrap())
    }
}

pub(super) fn span_of(harness: &Harness, view: &dyn RequestView) -> FinishedSpan {
    let span = harness.instrumentation.begin(view);
    assert!(respond(span, 200, BodySize::Empty).is_none());
    harness.only()
}

/// Returns the URL of a request, after checking that all tags show the same origin.
pub(super) fn url_of(span: &FinishedSpan) -> String {
    let url = tag(span, "http.url").unwrap();
    assert_eq!(tag(span, "url").as_deref(), Some(&*url));
    let scheme = tag(span, "url.scheme");
    assert_eq!(tag(span, "scheme"), scheme);
    let scheme = scheme.unwrap();
    let (host, address) = (tag(span, "host"), tag(span, "server.address"));
    let Some(host) = host else {
        assert_eq!((address, span.tag("server.port")), (None, None));
        return format!("{scheme} {url}");
    };
    let path = tag(span, "url.path").unwrap();
    assert_eq!(url, format!("{scheme}://{host}{path}"));
    let parsed: http::uri::Authority = host.parse().unwrap();
    let address = address.unwrap();
    assert_eq!(parsed.host().trim_matches(['[', ']']), address);
    let default = match &*scheme {
        "https" => 443,
        _ => 80,
    };
    let port = parsed.port_u16().unwrap_or(default).to_string();
    assert_eq!(tag(span, "server.port"), Some(port));
    url
}

/// Returns the URL of a request to `Host: 10.0.0.9:8080` from a trusted proxy.
pub(super) fn url(forwarded: Forwarded, headers: Headers<'_>) -> String {
    let mut request = get("/x", headers);
    let host = http::HeaderValue::from_static("10.0.0.9:8080");
    request.headers_mut().entry("host").or_insert(host);
    let view = From(&request, Some("10.0.0.1:999"));
    url_of(&span_of(&shown(forwarded), &view))
}

pub(super) fn one() -> Forwarded {
    Forwarded::hops(1).host(true)
}

pub(super) fn inside() -> Forwarded {
    let inside: Network = "10.0.0.0/8".parse().unwrap();
    Forwarded::networks([inside]).host(true)
}

pub(super) const SENT: &str = "http://10.0.0.9:8080/x";
pub(super) const SECURE: &str = "https://10.0.0.9:8080/x";
pub(super) const SHOP: &str = "https://shop.example/x";

#[test]
fn nothing_is_believed_of_a_proxy_that_is_not_trusted() {
    let headers = [
        ("forwarded", "for=1.2.3.4;proto=https;host=shop.example"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-port", "443"),
    ];
    let elsewhere: Network = "192.168.0.0/16".parse().unwrap();
    for nobody in [
        Forwarded::nobody(),
        Forwarded::default(),
        Forwarded::networks([elsewhere]).host(true),
    ] {
        for headers in [&headers[..], &headers[..1], &headers[1..], &headers[2..]] {
            assert_eq!(url(nobody.clone(), headers), SENT, "{headers:?}");
        }
    }
    // The peer's address is unknown.
    let request = get("http://10.0.0.9:8080/x", &headers[1..]);
    let span = span_of(&shown(inside()), &From(&request, None));
    assert_eq!(url_of(&span), SENT);
}

#[test]
fn forwarded_reports_all_facts_in_the_clients_element() {
    let shop = "proto=https;host=shop.example";
    for (value, expected) in [
        ("for=1.2.3.4;proto=https;host=shop.example", SHOP),
        (shop, SHOP),
        ("Host=shop.example;FOR=1.2.3.4;PROTO=HTTPS", SHOP),
        ("for=1.2.3.4; proto=\"https\"; host=\"shop.example\"", SHOP),
        (r#"for=1.2.3.4;proto="h\ttps";host="sho\p.example""#, SHOP),
        // The address is hidden or malformed, but the element is the trusted proxy's.
        ("for=_hidden;proto=https;host=shop.example", SHOP),
        ("for=unknown;proto=https;host=shop.example", SHOP),
        ("for=x/y;proto=https;host=shop.example", SHOP),
        // Some facts.
        ("for=1.2.3.4;proto=https", SECURE),
        ("for=1.2.3.4;host=shop.example", "http://shop.example/x"),
        (
            "for=1.2.3.4;host=\"shop.example:8443\"",
            "http://shop.example:8443/x",
        ),
        (
            "for=1.2.3.4;proto=https;host=\"[2001:db8::1]:8443\"",
            "https://[2001:db8::1]:8443/x",
        ),
        // Those of another element are not used.
        ("for=6.6.6.6;proto=https;host=a.example, for=1.2.3.4", SENT),
        (
            "for=6.6.6.6;host=a.example, for=1.2.3.4;proto=https",
            SECURE,
        ),
        // Malformed elements and lines hide everything.
        ("for=1.2.3.4;proto=https;proto=https", SENT),
        ("for=1.2.3.4;proto=https;host=a;host=b", SENT),
        ("for=1.2.3.4;proto=https;x", SENT),
        ("for=1.2.3.4;proto=https;by=\"x", SENT),
        ("for=1.2.3.4;proto=https;host=\"a\"b", SENT),
        // A value that is not allowed hides itself.
        (
            "for=1.2.3.4;proto=ftp;host=shop.example",
            "http://shop.example/x",
        ),
        ("for=1.2.3.4;proto=https;host=a/b", SECURE),
        ("for=1.2.3.4;proto=;host=", SENT),
        ("for=1.2.3.4;proto=\"\";host=\"\"", SENT),
        ("", SENT),
        (" , ", SENT),
    ] {
        assert_eq!(url(one(), &[("forwarded", value)]), expected, "{value}");
    }
}

#[test]
fn forwarded_is_read_at_the_farthest_trusted_proxy() {
    let value = "for=6.6.6.6;proto=ws;host=six.example, for=1.2.3.4;proto=https;host=shop.example, \
                 for=10.0.0.2;proto=http;host=inner.example";
    let headers = [("forwarded", value)];
    for (forwarded, expected) in [
        (Forwarded::hops(1), "http://inner.example/x"),
        (Forwarded::hops(2), SHOP),
        (Forwarded::hops(3), "http://six.example/x"),
        (Forwarded::hops(9), "http://six.example/x"),
        (inside(), SHOP),
    ] {
        assert_eq!(url(forwarded.host(true), &headers), expected);
    }
    // Behind a hidden hop nobody is known to be trusted.
    for hidden in [
        "for=_edge",
        "for=unknown",
        "by=10.0.0.3",
        "for=\"10.0.0.300\"",
    ] {
        let value = format!(
            "for=1.2.3.4;proto=http;host=a.example, {hidden};proto=https;host=shop.example, for=10.0.0.2"
        );
        assert_eq!(url(inside(), &[("forwarded", &value)]), SHOP, "{hidden}");
    }
    // The client is inside, too.
    let value = "for=10.0.0.7;proto=https;host=shop.example, for=10.0.0.2";
    assert_eq!(url(inside(), &[("forwarded", value)]), SHOP);
}

#[test]
fn values_beside_x_forwarded_for_are_single_or_at_the_clients_position() {
    for (hops, proto, expected) in [
        ("1.2.3.4", "https", SECURE),
        ("6.6.6.6, 1.2.3.4", "https", SECURE),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", "https", SECURE),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", "http, https, http", SECURE),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", ",http,, https ,http,", SECURE),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", "https, http, https", SENT),
        // Neither single nor as long.
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", "https, https", SENT),
        ("1.2.3.4, 10.0.0.2", "https, https, https", SENT),
        ("1.2.3.4", "https, https", SENT),
        ("", "https, https", SENT),
        // Without hops.
        ("", "https", SECURE),
        (" , ", "https,", SECURE),
        // A hidden address has a position.
        ("6.6.6.6, unknown, 10.0.0.2", "http, https, http", SECURE),
        ("6.6.6.6, _hidden, 10.0.0.2", "http, https, http", SECURE),
        ("1.2.3.4", "", SENT),
        ("1.2.3.4", " ", SENT),
        ("1.2.3.4", ",", SENT),
    ] {
        let headers = [("x-forwarded-for", hops), ("x-forwarded-proto", proto)];
        for forwarded in [Forwarded::hops(2), inside()] {
            assert_eq!(url(forwarded, &headers), expected, "{headers:?}");
        }
    }
    // Over several lines.
    let headers = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-host", "inner.example"),
    ];
    assert_eq!(url(inside(), &headers), SHOP);
    // Longer than what is read of it.
    let (far, near) = ("6.6.6.6, ".repeat(50), ", 10.0.0.2".repeat(20));
    let hops = format!("{far}1.2.3.4{near}");
    let hosts = format!("{}shop.example{}", "a, ".repeat(50), ", b".repeat(20));
    let headers = [
        ("x-forwarded-for", &*hops),
        ("x-forwarded-host", &hosts),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(url(inside(), &headers), SHOP);
}

#[test]
fn schemes_are_those_of_http() {
    for (scheme, expected) in [
        ("https", SECURE),
        ("HTTPS", SECURE),
        (" Https ", SECURE),
        ("wss", SECURE),
        ("http", SENT),
        ("ws", SENT),
        ("ftp", SENT),
        ("https:", SENT),
        ("https;", SENT),
        ("\"https\"", SENT),
        ("https on", SENT),
        ("javascript", SENT),
        ("h\u{165}tps", SENT),
    ] {
        let headers = [("x-forwarded-proto", scheme)];
        assert_eq!(url(one(), &headers), expected, "{scheme}");
    }
    // A reported `http` replaces the scheme of the target; one that is not known does not.
    for (scheme, expected) in [("http", SENT), ("ws", SENT), ("ftp", SECURE), ("", SECURE)] {
        let request = get("https://10.0.0.9:8080/x", &[("x-forwarded-proto", scheme)]);
        let span = span_of(&shown(one()), &request);
        assert_eq!(url_of(&span), expected, "{scheme}");
    }
}

#[test]
fn forwarded_host_has_to_be_valid() {
    let long = format!("{}.example", "a".repeat(247));
    let secure = |host: &str| format!("https://{host}/x");
    for (host, expected) in [
        ("shop.example", SHOP.to_owned()),
        ("SHOP.example.", secure("SHOP.example.")),
        ("shop.example:8443", secure("shop.example:8443")),
        ("ada:s3cret@shop.example", SHOP.to_owned()),
        ("[::1]", secure("[::1]")),
        ("[::1]:8443", secure("[::1]:8443")),
        ("127.0.0.1:80", secure("127.0.0.1:80")),
        (&long, secure(&long)),
        (&format!("a{long}"), SECURE.to_owned()),
        ("", SECURE.to_owned()),
        ("a b", SECURE.to_owned()),
        ("a/b", SECURE.to_owned()),
        ("a?b", SECURE.to_owned()),
        ("https://shop.example", SECURE.to_owned()),
        ("b\u{fc}cher.example", SECURE.to_owned()),
        ("\"><script>", SECURE.to_owned()),
        ("shop.example:65536", SECURE.to_owned()),
        ("shop.example:x", SECURE.to_owned()),
        ("::1", SECURE.to_owned()),
        ("[::1", SECURE.to_owned()),
        ("unknown:", secure("unknown:")),
    ] {
        let headers = [("x-forwarded-host", host), ("x-forwarded-proto", "https")];
        assert_eq!(url(one(), &headers), expected, "{host}");
        let quoted = format!("for=1.2.3.4;proto=https;host={host:?}");
        let headers = [("forwarded", &*quoted)];
        // The escapes of a quoted string are removed.
        assert_eq!(url(one(), &headers), expected, "{quoted}");
    }
}

#[test]
fn forwarded_port_replaces_that_of_the_host() {
    for (host, forwarded_host, scheme, port, expected) in [
        ("10.0.0.9:8080", "", "https", "443", "https://10.0.0.9/x"),
        (
            "10.0.0.9:8080",
            "",
            "https",
            "8443",
            "https://10.0.0.9:8443/x",
        ),
        ("10.0.0.9:8080", "", "", "8080", SENT),
        ("10.0.0.9:8080", "", "", "80", "http://10.0.0.9/x"),
        ("10.0.0.9:8080", "", "", "443", "http://10.0.0.9:443/x"),
        ("shop.example", "", "https", "443", SHOP),
        (
            "shop.example:443",
            "",
            "https",
            "443",
            "https://shop.example:443/x",
        ),
        (
            "shop.example:",
            "",
            "https",
            "8443",
            "https://shop.example:8443/x",
        ),
        ("[::1]:8080", "", "https", "443", "https://[::1]/x"),
        ("[::1]", "", "https", "8443", "https://[::1]:8443/x"),
        ("x", "shop.example", "https", "443", SHOP),
        (
            "x",
            "shop.example",
            "https",
            "8443",
            "https://shop.example:8443/x",
        ),
        (
            "x",
            "shop.example:1",
            "https",
            "8443",
            "https://shop.example:8443/x",
        ),
        ("x", "shop.example:1", "https", "443", SHOP),
        ("x", "a@[::1]:1", "https", "443", "https://[::1]/x"),
        // Not a port.
        ("10.0.0.9:8080", "", "https", "0", SECURE),
        ("10.0.0.9:8080", "", "https", "65536", SECURE),
        ("10.0.0.9:8080", "", "https", "-1", SECURE),
        ("10.0.0.9:8080", "", "https", "+443", SECURE),
        ("10.0.0.9:8080", "", "https", "", SECURE),
        ("10.0.0.9:8080", "", "https", "443x", SECURE),
        ("10.0.0.9:8080", "", "https", "443, 443", SECURE),
        // Not a host.
        ("a b", "", "https", "8443", "https /x"),
    ] {
        let headers = [
            ("host", host),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", forwarded_host),
            ("x-forwarded-proto", scheme),
            ("x-forwarded-port", port),
        ];
        assert_eq!(url(one(), &headers), expected, "{headers:?}");
    }
    // The authority of the target wins over `Host`.
    let headers = [("host", "x"), ("x-forwarded-port", "8443")];
    let span = span_of(&shown(one()), &get("http://shop.example:8080/x", &headers));
    assert_eq!(url_of(&span), "http://shop.example:8443/x");
    // The forwarded host wins over both.
    let headers = [("host", "x"), ("x-forwarded-host", "shop.example")];
    let span = span_of(
        &shown(one()),
        &get("https://inner.example:8080/x", &headers),
    );
    assert_eq!(url_of(&span), SHOP);
}

#[test]
fn both_kinds_of_headers_have_to_report_a_fact_alike() {
    let full = "for=1.2.3.4;proto=https;host=shop.example";
    let (hops, proto) = ("x-forwarded-for", "x-forwarded-proto");
    let (host, port) = ("x-forwarded-host", "x-forwarded-port");
    for (forwarded, beside, expected) in [
        (
            full,
            &[(hops, "1.2.3.4"), (proto, "https"), (host, "SHOP.example")][..],
            SHOP,
        ),
        // A client that writes its own address into the other kind of header decides nothing.
        (full, &[(hops, "1.2.3.4")], SENT),
        (full, &[(hops, "1.2.3.4"), (proto, "http")], SENT),
        (full, &[(hops, "1.2.3.4"), (proto, "https")], SECURE),
        (
            full,
            &[(hops, "1.2.3.4"), (proto, "https"), (host, "a.example")],
            SECURE,
        ),
        (
            "for=1.2.3.4",
            &[(hops, "1.2.3.4"), (proto, "https"), (host, "shop.example")],
            SENT,
        ),
        (
            "for=1.2.3.4;proto=ftp",
            &[(hops, "1.2.3.4"), (proto, "https")],
            SENT,
        ),
        // Nothing is reported in two ways, but what is alike is.
        (full, &[(hops, "6.6.6.6"), (proto, "https")], SECURE),
        (
            "for=_hidden;proto=https",
            &[(hops, "unknown"), (proto, "https")],
            SECURE,
        ),
        // Without hops, each header stands for its own fact.
        (full, &[(proto, "https")], SHOP),
        (full, &[(proto, "http")], "http://shop.example/x"),
        (full, &[(host, "a.example")], SECURE),
        ("for=1.2.3.4", &[(proto, "https")], SENT),
        // A port alone is the other kind's.
        (full, &[(port, "8443")], SHOP),
        (
            full,
            &[
                (hops, "1.2.3.4"),
                (port, "8443"),
                (proto, "https"),
                (host, "shop.example"),
            ],
            SHOP,
        ),
        // A line that cannot be read may be the proxy's.
        (
            "for=\"",
            &[(hops, "1.2.3.4"), (proto, "https"), (host, "shop.example")],
            SENT,
        ),
        // Headers without an element are not there.
        (
            "",
            &[(hops, "1.2.3.4"), (proto, "https"), (host, "shop.example")],
            SHOP,
        ),
        (full, &[(hops, ","), (proto, ""), (host, " ")], SHOP),
    ] {
        let headers: Vec<_> = [("forwarded", forwarded)]
            .iter()
            .chain(beside)
            .copied()
            .collect();
        assert_eq!(url(one(), &headers), expected, "{headers:?}");
        assert_eq!(url(inside(), &headers), expected, "{headers:?}");
    }
}
