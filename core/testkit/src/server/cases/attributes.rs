//! Attributes of requests and responses, chosen by name.

use http::HeaderName;
use opentracing_http::Attribute;

use crate::app::Reply;
use crate::server::cases::{assert_no_tags, assert_tags, peer, text, version};
use crate::server::{Feature, Kit, Server};

/// Nothing but the convention's tags stands in a span, unless it is asked for.
pub fn no_attribute_is_tagged_by_default<S: Server>() {
    let kit = Kit::<S>::new();
    let headers = [("x-request-id", "r-1"), ("user-agent", "kit")];
    let span = kit.span_of_with("/play?page=2", &headers);
    let expected = [
        "span.kind",
        "component",
        "http.method",
        "http.url",
        "http.status_code",
        "http.route",
        "http.time_to_head_us",
        "peer.ipv4",
        "peer.port",
    ];
    for tag in span.tags() {
        assert!(expected.contains(&tag.key.as_ref()), "{tag:?}");
    }
}

/// Attributes are chosen by the names that stand in configuration.
pub fn attributes_are_chosen_by_name<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.attribute_names([
            "url",
            "query",
            "path",
            "method",
            "host",
            "scheme",
            "version",
            "remote_addr",
            "user_agent",
            "referrer",
            "content_type",
            "content_length",
            "header:x-request-id",
        ])
    });
    let mut connection = kit.connect();
    let headers = [
        ("user-agent", "kit"),
        ("referer", "http://other.example/"),
        ("content-type", "text/plain"),
        ("content-length", "0"),
        ("x-request-id", "r-1"),
    ];
    connection.request("POST", "/play?page=2", &headers);
    assert_eq!(
        connection.response("POST").map(|found| found.status),
        Some(200)
    );
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("url", "http://test.example/play?page=REDACTED"),
            ("query", "page=REDACTED"),
            ("path", "/play"),
            ("method", "POST"),
            ("host", "test.example"),
            ("scheme", "http"),
            ("user_agent", "kit"),
            ("referrer", "http://other.example/"),
            ("content_type", "text/plain"),
            ("content_length", "0"),
            ("http.request.header.x-request-id", "r-1"),
        ],
    );
    assert_eq!(text(&span, "version"), version::<S>("1.1"));
    let address = peer::<S>(&connection.local_addr());
    assert_eq!(text(&span, "remote_addr"), address);
}

/// Headers of the response can be chosen as well, and attributes can have other keys.
pub fn response_headers_can_be_attributes<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy
                .attribute_names(["response.header:x-cache"])
                .attributes([
                    Attribute::response_header(HeaderName::from_static("content-type")).tag("type"),
                ])
        })
        .play(|_| async {
            Reply::text("")
                .header("x-cache", "hit")
                .header("content-type", "text/x-kit")
        })
        .start();
    assert_eq!(kit.get("/play").header("x-cache"), Some("hit"));
    assert_tags(
        &kit.span(),
        &[
            ("http.response.header.x-cache", "hit"),
            ("type", "text/x-kit"),
        ],
    );
}

/// What has no value sets no tag.
pub fn missing_values_set_no_tag<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.attribute_names([
            "query",
            "referrer",
            "user_agent",
            "header:x-request-id",
            "response.header:x-cache",
        ])
    });
    assert_no_tags(
        &kit.span_of("/play"),
        &[
            "query",
            "referrer",
            "user_agent",
            "http.request.header.x-request-id",
            "http.response.header.x-cache",
        ],
    );
}

/// Several values of one header are joined.
pub fn several_values_of_a_header_are_joined<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.attribute_names(["header:x-tag", "response.header:x-tag"]))
        .play(|_| async {
            Reply::text("")
                .header("x-tag", "three")
                .header("x-tag", "four")
        })
        .start();
    let headers = [("x-tag", "one"), ("X-Tag", "two")];
    assert_tags(
        &kit.span_of_with("/play", &headers),
        &[
            ("http.request.header.x-tag", "one, two"),
            ("http.response.header.x-tag", "three, four"),
        ],
    );
}

/// Bytes that are not text become U+FFFD in a tag, where they come that far, and are no trace header.
pub fn header_values_that_are_not_text_are_harmless<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["header:x-name"]));
    let mut connection = kit.connect();
    let mut request = b"GET /play HTTP/1.1\r\nhost: test.example\r\nx-name: caf\xe9\r\n".to_vec();
    request.extend(b"traceparent: \xff\xfe\r\nbaggage: a=\xff\r\n\r\n");
    connection.send(&request);
    let reaches = S::CAPABILITIES.has(Feature::HeadersBeyondAscii);
    let status = connection.response("GET").map(|response| response.status);
    if !reaches && status.is_none_or(|status| status >= 400) {
        return assert!(kit.left().is_empty(), "what is refused has no span");
    }
    assert_eq!(status, Some(200));
    let span = kit.span();
    assert_eq!(
        text(&span, "http.request.header.x-name").as_deref(),
        reaches.then_some("caf\u{fffd}")
    );
    assert_eq!(span.parent_id(), None);
}
