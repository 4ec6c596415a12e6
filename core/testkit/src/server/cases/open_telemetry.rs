//! The attributes of OpenTelemetry's stable semantic conventions, "HTTP server spans": those that are required or
//! conditionally required, and the recommended ones that are known.

use opentracing_http::{SemanticConvention, Value};

use crate::server::cases::{
    assert_no_tags, assert_tags, peer, span_of_unmatched, text, version, with_status,
};
use crate::server::{Feature, Kit, Server};

fn kit<S: Server>() -> Kit<S> {
    Kit::with(|policy| policy.convention(SemanticConvention::OpenTelemetry))
}

/// Method, path and scheme are required; client, peer and user agent stand there where they are known.
pub fn required_attributes_are_there<S: Server>() {
    let kit = kit::<S>();
    let mut connection = kit.request("GET", "/play", &[("user-agent", "kit/1")]);
    assert!(connection.response("GET").is_some());
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("span.kind", "server"),
            ("http.request.method", "GET"),
            ("url.path", "/play"),
            ("url.scheme", "http"),
            ("user_agent.original", "kit/1"),
        ],
    );
    let local = connection.local_addr();
    let address = peer::<S>(&local.ip()).map(Value::from);
    assert_eq!(span.tag("client.address"), address);
    assert_eq!(span.tag("network.peer.address"), address);
    let port = Value::from(local.port());
    let known = S::CAPABILITIES.has(Feature::Peer);
    assert_eq!(span.tag("network.peer.port"), known.then_some(port));
    assert_no_tags(
        &span,
        &[
            "component",
            "http.method",
            "http.url",
            "http.status_code",
            "peer.ipv4",
            "url.query",
            "error",
            "error.type",
            "http.request.method_original",
        ],
    );
}

/// Status and route stand there if there are any, the error's type if the request failed: the status, or what happened.
pub fn status_error_and_route_are_there_when_they_apply<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.convention(SemanticConvention::OpenTelemetry))
        .play(with_status)
        .start();
    for (path, status, error) in [
        ("/play?200", 200, None),
        ("/play?404", 404, None),
        ("/play?500", 500, Some("500")),
        ("/error", 503, Some("503")),
    ] {
        assert_eq!(kit.get(path).status, status);
        let span = kit.span();
        assert_tags(&span, &[("http.response.status_code", status)]);
        assert_eq!(text(&span, "error.type").as_deref(), error, "{path}");
        assert_eq!(span.is_error(), error.is_some(), "{path}");
        let route = path.split('?').next().unwrap_or(path);
        assert_eq!(
            text(&span, "http.route"),
            S::CAPABILITIES.template(route),
            "{path}"
        );
    }
    assert_eq!(kit.get("/no/such/path").status, 404);
    if let Some(span) = span_of_unmatched(&kit) {
        assert_no_tags(&span, &["http.route", "error.type"]);
    }
}

/// An unknown method is `_OTHER`, with the original beside it.
pub fn original_of_an_unknown_method_is_kept<S: Server>() {
    let kit = kit::<S>();
    let mut connection = kit.request("BREW", "/play", &[]);
    let response = connection.response("BREW");
    if S::CAPABILITIES.has(Feature::UnknownMethods) {
        assert_tags(
            &kit.span(),
            &[
                ("http.request.method", "_OTHER"),
                ("http.request.method_original", "BREW"),
            ],
        );
    } else {
        assert!(response.is_none_or(|response| response.status >= 400));
    }
}

/// The host's address and port stand apart, also where the address is an IPv6 one in brackets.
pub fn host_is_split_into_address_and_port<S: Server>() {
    let kit = kit::<S>();
    for (host, address, port) in [
        ("test.example:8080", "test.example", 8080),
        ("[2001:db8::1]:8080", "2001:db8::1", 8080),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
    ] {
        let span = kit.span_of_with("/play", &[("host", host)]);
        assert_tags(&span, &[("server.address", address)]);
        assert_tags(&span, &[("server.port", port)]);
    }
}

/// Without a host, as HTTP/1.0 allows, there is no address, and no port without one.
pub fn request_without_a_host_has_no_address<S: Server>() {
    let kit = kit::<S>();
    let mut connection = kit.connect();
    connection.send(b"GET /play HTTP/1.0\r\n\r\n");
    let response = connection.response("GET").expect("a whole response");
    assert_eq!(response.status, 200);
    let span = kit.span();
    assert_no_tags(&span, &["server.address", "server.port"]);
    assert_eq!(text(&span, "network.protocol.version"), version::<S>("1.0"));
}

/// The protocol's version is `1.1`; that of HTTP/2 is `2`.
pub fn protocol_version_is_short<S: Server>() {
    let kit = kit::<S>();
    kit.get_ok("/play");
    let told = |kit: &Kit<S>| text(&kit.span(), "network.protocol.version");
    assert_eq!(told(&kit), version::<S>("1.1"));
    if kit.connect_http2().get("/play", &[]).is_some() {
        assert_eq!(told(&kit), version::<S>("2"));
    }
}
