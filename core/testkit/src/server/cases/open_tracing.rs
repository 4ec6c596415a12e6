//! The tags of OpenTracing's semantic conventions.

use opentracing_http::{Attribute, SemanticConvention, Value};

use crate::server::cases::{assert_no_tags, assert_tags, peer, span_of_unmatched, text};
use crate::server::{Feature, Kit, Server};

/// The tags that every request has; no attribute of another convention is among them.
pub fn tags_kind_component_method_url_and_status<S: Server>() {
    let kit = Kit::<S>::new();
    for (path, status) in [
        ("/play", 200),
        ("/items/7", 200),
        ("/nested/items/7", 200),
        ("/no/such/path", 404),
    ] {
        assert_eq!(kit.get(path).status, status, "{path}");
        let span = match status {
            404 => span_of_unmatched(&kit),
            _ => Some(kit.span()),
        };
        let Some(span) = span else {
            continue;
        };
        assert_tags(
            &span,
            &[
                ("span.kind", Value::from("server")),
                ("component", Value::from(S::CAPABILITIES.component)),
                ("http.method", Value::from("GET")),
                ("http.url", format!("http://test.example{path}").into()),
                ("http.status_code", Value::from(status)),
            ],
        );
        assert!(matches!(
            span.tag("http.time_to_head_us"),
            Some(Value::I64(0..))
        ));
        assert_no_tags(
            &span,
            &[
                "error",
                "http.outcome",
                "http.request.method",
                "url.path",
                "http.response.status_code",
                "server.address",
            ],
        );
        assert!(span.logs().is_empty());
    }
}

/// The query is in no tag of the convention.
pub fn path_excludes_the_query<S: Server>() {
    let kit = Kit::<S>::new();
    let span = kit.span_of("/play?token=s3cret");
    assert_tags(&span, &[("http.url", "http://test.example/play")]);
    for tag in span.tags() {
        assert!(!tag.value.to_string().contains("s3cret"), "{tag:?}");
    }
}

/// Path and query are neither decoded nor normalised.
pub fn path_and_query_are_kept_as_they_came<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attributes([Attribute::QUERY.unredacted()]));
    let query = "page=2&Sig=s3cret;c2VjcmV0LXRva2VuIQ==&bare%20";
    let response = kit.get(&format!("/items/a%20b%C3%A9?{query}"));
    assert_eq!(response.status, 200);
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("http.url", "http://test.example/items/a%20b%C3%A9"),
            ("query", query),
        ],
    );
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/items/{id}"));
    // The response to such a path is the framework's business.
    for path in ["/no//such", "/No/Such/", "/no/such/"] {
        let _ = kit.get(path);
        if let Some(span) = span_of_unmatched(&kit) {
            assert_eq!(span.http().map(|http| http.path()), Some(path));
        }
    }
}

/// A target in absolute form (RFC 9112, section 3.2.2) is read as its path.
pub fn absolute_target_is_read_as_its_path<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get("http://test.example/play?page=2");
    assert_eq!(response.status, 200);
    let span = kit.span();
    assert_tags(&span, &[("http.url", "http://test.example/play")]);
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/play"));
}

/// The authority of a target in absolute form is the host, whatever `Host` names (RFC 9112, section 3.2.2).
pub fn authority_of_the_target_wins_over_the_host_header<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    let headers = [("host", "other.example:1")];
    let response = kit.get_with("http://shop.example:8080/play", &headers);
    assert_eq!(response.status, 200);
    let (host, address) = match S::CAPABILITIES.has(Feature::AbsoluteAuthority) {
        true => ("shop.example:8080", "shop.example"),
        false => ("other.example:1", "other.example"),
    };
    let span = kit.span();
    let url = format!("http://{host}/play");
    assert_tags(&span, &[("http.url", url)]);
    assert_tags(&span, &[("server.address", address)]);
}

/// The scheme of a target in absolute form is that of the URL: a proxy that ends TLS connections may send such a target without TLS.
pub fn scheme_of_the_target_is_that_of_the_url<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    let response = kit.get("https://test.example/play");
    assert_eq!(response.status, 200);
    assert_scheme(&kit);
}

/// Asserts that the scheme of a request is `https`, over a connection without TLS.
pub(super) fn assert_scheme<S: Server>(kit: &Kit<S>) {
    let scheme = match S::CAPABILITIES.has(Feature::TargetScheme) {
        true => "https",
        false => "http",
    };
    let span = kit.span();
    let url = format!("{scheme}://test.example/play");
    assert_tags(&span, &[("http.url", url)]);
    assert_tags(&span, &[("url.scheme", scheme)]);
}

/// A target in asterisk form has neither path nor query in its URL (RFC 9112, section 3.3).
pub fn asterisk_target_has_the_url_of_its_host<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        let policy = policy.attribute_names(["url"]);
        policy.convention(SemanticConvention::Both)
    });
    let response = kit.send("OPTIONS", "*", &[("host", "shop.example:8080")]);
    let Some(span) = span_of_unmatched(&kit) else {
        return;
    };
    assert_tags(&span, &[("http.status_code", i64::from(response.status))]);
    assert_tags(
        &span,
        &[
            ("http.url", "http://shop.example:8080"),
            ("url", "http://shop.example:8080"),
            ("url.path", "*"),
        ],
    );
}

/// A `Host` header that is no host makes no URL and no address of the server.
pub fn text_that_is_no_host_is_left_out<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        let policy = policy.attribute_names(["url", "host"]);
        policy.convention(SemanticConvention::Both)
    });
    let mut served = 0;
    for host in [
        &b""[..],
        b":8080",
        b"shop.example?token=s3cret",
        b"\"><script>s3cret",
        b"shop.example:99999",
        b"a:8080:8080",
        b"a.example, b.example",
        b"a.example\r\nhost: b.example",
        b"[::1",
        b"shop.example/",
        b"shop.example#x",
        "b\u{fc}cher.example".as_bytes(),
        b"b\xfccher.example",
    ] {
        let mut connection = kit.connect();
        connection.send(&[b"GET /play HTTP/1.1\r\nhost: ", host, b"\r\n\r\n"].concat());
        let status = connection.response("GET").map(|response| response.status);
        let shown = String::from_utf8_lossy(host);
        // Whether such a request is served at all is the framework's business.
        if status != Some(200) {
            assert!(status.is_none_or(|status| status >= 400), "{shown}");
            assert!(kit.left().is_empty(), "what is refused has no span");
            continue;
        }
        served += 1;
        let span = kit.span();
        for key in ["http.url", "url"] {
            assert_eq!(text(&span, key).as_deref(), Some("/play"), "{shown}");
        }
        assert_no_tags(&span, &["host", "server.address", "server.port"]);
    }
    assert!(served > 0, "no such request is served");
}

/// A password in the host does not become a tag, also one with an `@` in it.
pub fn credentials_in_the_host_are_left_out<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["url", "host", "header:host"]));
    for host in ["ada:s3cret@test.example", "ada:p@s3cret@test.example"] {
        let mut connection = kit.request("GET", "/play", &[("host", host)]);
        // Whether such a host is served at all is the framework's business.
        let served = connection
            .response("GET")
            .is_some_and(|response| response.status == 200);
        let spans = if served { vec![kit.span()] } else { kit.left() };
        for tag in spans.iter().flat_map(|span| span.tags()) {
            assert!(!tag.value.to_string().contains("s3cret"), "{tag:?}");
        }
    }
}

/// The address of the connection's other end is tagged.
pub fn reports_the_peer_address<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.request("GET", "/play", &[]);
    assert!(connection.response("GET").is_some());
    let span = kit.span();
    let known = S::CAPABILITIES.has(Feature::Peer);
    let port = known.then(|| Value::from(connection.local_addr().port()));
    assert_eq!(text(&span, "peer.ipv4"), peer::<S>("127.0.0.1"));
    assert_eq!((span.tag("peer.port"), span.tag("peer.ipv6")), (port, None));
}
