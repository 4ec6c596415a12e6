//! The host of a request, and its URL.

use super::*;

/// A view whose host is what an adapter of any kind returns.
struct Asked<'a> {
    host: Option<&'a str>,
    path: &'a str,
    peer: Option<SocketAddr>,
}

fn asked<'a>(host: &'a str, path: &'a str) -> Asked<'a> {
    Asked {
        host: Some(host),
        path,
        peer: None,
    }
}

impl HeaderView for Asked<'_> {
    fn each_header<'a>(&'a self, _: &mut dyn FnMut(&'a str, &'a [u8])) {}
}

impl RequestView for Asked<'_> {
    fn headers(&self) -> &dyn HeaderView {
        self
    }
    fn method(&self) -> &str {
        "GET"
    }
    fn path(&self) -> &str {
        self.path
    }
    fn authority(&self) -> Option<&str> {
        self.host
    }
    fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

/// Both conventions, and every attribute that shows a host.
fn shown() -> Harness {
    policy(|policy| {
        policy.convention(SemanticConvention::Both).attributes([
            Attribute::URL,
            Attribute::HOST,
            Attribute::PATH,
        ])
    })
}

fn span_of(harness: &Harness, view: &dyn RequestView) -> FinishedSpan {
    let span = harness.instrumentation.begin(view);
    assert!(respond(span, 200, BodySize::Empty).is_none());
    harness.only()
}

/// `http.url`, `url`, `host`, `server.address`, `server.port`.
fn tags(span: &FinishedSpan) -> [Option<String>; 5] {
    ["http.url", "url", "host", "server.address", "server.port"].map(|key| tag(span, key))
}

#[test]
fn host_that_is_no_uri_host_is_left_out() {
    let harness = shown();
    let none = [Some("/users/7".to_owned()), Some("/users/7".to_owned())];
    let none = [none[0].clone(), none[1].clone(), None, None, None];
    for host in [
        "",
        " ",
        ":",
        ":80",
        "@",
        "ada:s3cret@",
        "ada:s3cret@:80",
        "shop.example?token=sekret",
        "shop.example/",
        "shop.example/x",
        "shop.example\\x",
        "shop.example#x",
        "\"><script>alert(1)</script>",
        "shop example",
        "shop.example\t",
        "a.example, b.example",
        "a.example,b.example",
        "shop.example:99999",
        "shop.example:65536",
        "shop.example:+80",
        "shop.example:-1",
        "shop.example:80x",
        "shop.example: 80",
        "a:8080:8080",
        "::1",
        "2001:db8::1",
        "[::1",
        "::1]",
        "[]",
        "[]:80",
        "[::1]x",
        "[::1]80",
        "[::1]:99999",
        "[127.0.0.1]",
        "[shop.example]",
        "[fe80::1%25eth0]",
        "[v1.]",
        "[v.x]",
        "[vg.x]",
        "[v1.a/b]",
        "%",
        "a%4",
        "a%zz.example",
        "b\u{fc}cher.example",
        "\u{65e5}\u{672c}.example",
        "shop.example\u{0}",
    ] {
        let span = span_of(&harness, &asked(host, "/users/7"));
        assert_eq!(tags(&span), none, "{host:?}");
        // The same as a header, where one can carry it.
        if let Ok(value) = http::HeaderValue::from_bytes(host.as_bytes()) {
            let mut request = get("/users/7", &[]);
            request.headers_mut().insert("host", value);
            let span = harness.answer(&request, 200);
            assert_eq!(tags(&span), none, "{host:?} in the header");
        }
    }
}

#[test]
fn valid_host_is_shown_as_it_came() {
    let harness = shown();
    for (host, address, port) in [
        ("shop.example", "shop.example", 80),
        ("SHOP.example.", "SHOP.example.", 80),
        ("shop.example:", "shop.example", 80),
        ("shop.example:0", "shop.example", 0),
        ("shop.example:8080", "shop.example", 8080),
        ("shop.example:00443", "shop.example", 443),
        ("shop.example:65535", "shop.example", 65535),
        ("my_service-1~a", "my_service-1~a", 80),
        ("caf%C3%A9.example", "caf%C3%A9.example", 80),
        ("a!$&'()*+;=b", "a!$&'()*+;=b", 80),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]", "::1", 80),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("[::ffff:127.0.0.1]:", "::ffff:127.0.0.1", 80),
        ("[v1f.a:b]:1", "v1f.a:b", 1),
    ] {
        let span = span_of(&harness, &asked(host, "/users/7"));
        let url = format!("http://{host}/users/7");
        let expected = [url.clone(), url, host.to_owned(), address.to_owned()];
        assert_eq!(tags(&span)[..4], expected.map(Some), "{host}");
        assert_eq!(tags(&span)[4], Some(port.to_string()), "{host}");
    }
}

#[test]
fn user_information_is_cut_at_the_last_at_sign() {
    let harness = shown();
    for host in [
        "user:p@ss@shop.example:8080",
        "@shop.example:8080",
        "a/b?c#d@shop.example:8080",
        "b\u{fc}cher@shop.example:8080",
    ] {
        let span = span_of(&harness, &asked(host, "/"));
        let expected = [
            "http://shop.example:8080/",
            "http://shop.example:8080/",
            "shop.example:8080",
            "shop.example",
            "8080",
        ];
        let expected = expected.map(|text| Some(text.to_owned()));
        assert_eq!(tags(&span), expected, "{host}");
    }
}

#[test]
fn asterisk_target_has_the_url_of_the_host_alone() {
    let harness = shown();
    for (host, url) in [
        ("shop.example:8080", "http://shop.example:8080"),
        ("not a host", "*"),
    ] {
        let span = span_of(&harness, &asked(host, "*"));
        for key in ["http.url", "url"] {
            assert_eq!(tag(&span, key).as_deref(), Some(url), "{key}");
        }
        for key in ["url.path", "path"] {
            assert_eq!(tag(&span, key).as_deref(), Some("*"), "{key}");
        }
    }
}

#[test]
fn authority_of_the_target_wins_over_the_host_header() {
    let harness = shown();
    let other = [("host", "other.example:1")];
    let span = harness.answer(&get("http://shop.example:8080/x", &other), 200);
    assert_eq!(
        tag(&span, "http.url").as_deref(),
        Some("http://shop.example:8080/x")
    );
    // Even if the authority is not a valid host, the header is ignored (RFC 9112, section 3.2.2).
    let span = harness.answer(&get("http://a,b/x", &other), 200);
    assert_eq!(tag(&span, "http.url").as_deref(), Some("/x"));
}

#[test]
fn two_host_headers_are_no_host() {
    let harness = shown();
    let two = [("host", "a.example"), ("host", "b.example")];
    let span = harness.answer(&get("/x", &two), 200);
    assert_eq!(tag(&span, "http.url").as_deref(), Some("/x"));
    assert_eq!(tag(&span, "server.address"), None);
    let span = harness.answer(&get("http://shop.example/x", &two), 200);
    assert_eq!(
        tag(&span, "server.address").as_deref(),
        Some("shop.example")
    );
}

#[test]
fn port_of_a_host_that_is_cut_is_the_one_that_came() {
    let mut limits = opentracing_http::Limits::default();
    limits.value_bytes = 64;
    let harness = policy(|policy| policy.limits(limits).convention(SemanticConvention::Both));
    for name in [
        "a".repeat(62),
        "a".repeat(63),
        "a".repeat(64),
        "a".repeat(80),
    ] {
        let span = span_of(&harness, &asked(&format!("{name}:8080"), "/"));
        let kept = &name[..name.len().min(64)];
        assert_eq!(tag(&span, "server.address").as_deref(), Some(kept));
        assert_eq!(tag(&span, "server.port").as_deref(), Some("8080"));
        assert_eq!(span.omitted().cut_values, 1);
    }
}

#[test]
fn remote_addr_is_as_canonical_as_the_peers_address() {
    let harness = policy(|policy| {
        policy
            .convention(SemanticConvention::Both)
            .attributes([Attribute::REMOTE_ADDR])
    });
    for (peer, expected, ip) in [
        ("[::ffff:127.0.0.1]:60996", "127.0.0.1:60996", "127.0.0.1"),
        ("127.0.0.1:60996", "127.0.0.1:60996", "127.0.0.1"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80", "2001:db8::1"),
    ] {
        let view = Asked {
            host: None,
            path: "/",
            peer: Some(peer.parse().unwrap()),
        };
        let span = span_of(&harness, &view);
        let port = peer.rsplit_once(':').unwrap().1;
        let address = tag(&span, "peer.ipv4").or(tag(&span, "peer.ipv6"));
        for (found, expected) in [
            (tag(&span, "remote_addr"), expected),
            (address, ip),
            (tag(&span, "network.peer.address"), ip),
            (tag(&span, "client.address"), ip),
            (tag(&span, "network.peer.port"), port),
            (tag(&span, "peer.port"), port),
        ] {
            assert_eq!(found.as_deref(), Some(expected), "{peer}");
        }
    }
}
