//! Attributes of requests and responses, chosen by name.

use http::HeaderName;
use opentracing_http::{Attribute, Limits, QueryRedaction, SemanticConvention};

use crate::app::Reply;
use crate::server::cases::{assert_no_tags, assert_tags, text, version};
use crate::server::{Feature, Kit, Server};

/// Nothing but the convention's tags stands in a span, unless it is asked for.
pub fn no_attribute_is_tagged_by_default<S: Server>() {
    let kit = Kit::<S>::new();
    let headers = [("x-request-id", "r-1"), ("user-agent", "kit")];
    assert_eq!(kit.get_with("/play?page=2", &headers).status, 200);
    let span = kit.span();
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
    let peer = S::CAPABILITIES.has(Feature::Peer);
    assert_eq!(
        text(&span, "remote_addr"),
        peer.then(|| connection.local_addr().to_string())
    );
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
    assert_eq!(kit.get("/play").status, 200);
    assert_no_tags(
        &kit.span(),
        &[
            "query",
            "referrer",
            "user_agent",
            "http.request.header.x-request-id",
            "http.response.header.x-cache",
        ],
    );
}

/// A query's values are redacted: all, those of some keys, or none.
pub fn query_values_are_redacted<S: Server>() {
    let query = "page=2&Sig=s3cret;c2VjcmV0LXRva2VuIQ==&bare";
    let path = format!("/play?{query}");
    for (redaction, expected) in [
        (
            QueryRedaction::AllValues,
            "page=REDACTED&Sig=REDACTED;REDACTED&REDACTED",
        ),
        (
            QueryRedaction::signatures(),
            "page=2&Sig=REDACTED;REDACTED&bare",
        ),
        (QueryRedaction::Nothing, query),
    ] {
        let kit = Kit::<S>::with(|policy| {
            policy
                .query_redaction(redaction)
                .attributes([Attribute::QUERY, Attribute::QUERY.tag("raw").unredacted()])
        });
        assert_eq!(kit.get(&path).status, 200);
        assert_tags(&kit.span(), &[("query", expected), ("raw", query)]);
    }
}

/// Headers that carry credentials are redacted, of requests and of responses, unless they are asked for as they are: those of
/// known names, those whose names have a credential's in them, and those that the policy names.
pub fn credentials_are_redacted_unless_asked_for<S: Server>() {
    let cookie = || Attribute::header(HeaderName::from_static("cookie"));
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy
                .redact_headers(["x-ticket"])
                .attribute_names([
                    "header:authorization",
                    "header:x-session-id",
                    "header:x-author",
                    "header:x-ticket",
                    "response.header:set-cookie",
                    "response.header:proxy-authenticate",
                    "response.header:x-access-token",
                ])
                .attributes([cookie(), cookie().tag("raw").unredacted()])
        })
        .play(|_| async {
            Reply::text("")
                .header("set-cookie", "session=s3cret")
                .header("proxy-authenticate", "Negotiate s3cret")
                .header("x-access-token", "s3cret")
        })
        .start();
    let headers = [
        ("authorization", "Bearer s3cret"),
        ("cookie", "a=b"),
        ("x-session-id", "s3cret"),
        ("x-author", "ada"),
        ("x-ticket", "s3cret"),
    ];
    assert_eq!(kit.get_with("/play", &headers).status, 200);
    assert_tags(
        &kit.span(),
        &[
            ("http.request.header.authorization", "REDACTED"),
            ("http.request.header.cookie", "REDACTED"),
            ("raw", "a=b"),
            ("http.request.header.x-session-id", "REDACTED"),
            ("http.request.header.x-author", "ada"),
            ("http.request.header.x-ticket", "REDACTED"),
            ("http.response.header.set-cookie", "REDACTED"),
            ("http.response.header.proxy-authenticate", "REDACTED"),
            ("http.response.header.x-access-token", "REDACTED"),
        ],
    );
}

/// URLs in headers are shown like the request's own: without user information and fragment, with their queries redacted.
pub fn urls_in_headers_are_redacted<S: Server>() {
    let url = "https://ada:p@s3cret@shop.example/reset?token=s3cret#s3cret";
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy
                .attribute_names([
                    "referrer",
                    "header:x-original-url",
                    "header:x-note",
                    "response.header:location",
                    "response.header:link",
                ])
                .attributes([Attribute::REFERRER.tag("raw").unredacted()])
        })
        .play(|_| async {
            Reply::text("")
                .header("location", "/reset?token=s3cret")
                .header("link", "</reset?token=s3cret>; rel=\"next\"")
        })
        .start();
    let note = format!("from {url} on");
    let headers = [
        ("referer", url),
        ("x-original-url", "/reset?czNjcmV0="),
        ("x-note", &note),
    ];
    assert_eq!(kit.get_with("/play", &headers).status, 200);
    let shown = "https://shop.example/reset?token=REDACTED";
    assert_tags(
        &kit.span(),
        &[
            ("referrer", shown),
            ("raw", url),
            ("http.request.header.x-original-url", "/reset?REDACTED"),
            (
                "http.request.header.x-note",
                "from https://shop.example/reset?token=REDACTED on",
            ),
            ("http.response.header.location", "/reset?token=REDACTED"),
            (
                "http.response.header.link",
                "</reset?token=REDACTED>; rel=\"next\"",
            ),
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
    assert_eq!(kit.get_with("/play", &headers).status, 200);
    assert_tags(
        &kit.span(),
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

/// Values are cut to the policy's limit, which is counted.
pub fn long_values_are_cut_and_counted<S: Server>() {
    let mut limits = Limits::default();
    limits.value_bytes = 64;
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["header:x-long"]).limits(limits));
    // What just fits is whole.
    let fits = "x".repeat(64);
    assert_eq!(kit.get_with("/play", &[("x-long", &fits)]).status, 200);
    let span = kit.span();
    assert_tags(&span, &[("http.request.header.x-long", fits)]);
    assert_eq!(span.omitted().cut_values, 0);
    // A character is kept whole, or not at all.
    let (long, kept) = match S::CAPABILITIES.has(Feature::HeadersBeyondAscii) {
        true => ("ä".repeat(500), "ä".repeat(32)),
        false => ("x".repeat(500), "x".repeat(64)),
    };
    assert_eq!(kit.get_with("/play", &[("x-long", &long)]).status, 200);
    let span = kit.span();
    assert_tags(&span, &[("http.request.header.x-long", kept)]);
    assert_eq!(span.omitted().cut_values, 1);
}

/// Path, query and user agent are cut to the same limit, each of which is counted.
pub fn other_text_of_the_request_is_cut_and_counted<S: Server>() {
    let mut limits = Limits::default();
    limits.value_bytes = 64;
    let kit = Kit::<S>::with(|policy| {
        policy
            .convention(SemanticConvention::OpenTelemetry)
            .query_redaction(QueryRedaction::Nothing)
            .limits(limits)
    });
    let (agent, query) = ("a".repeat(65), "q".repeat(65));
    let path = format!("/items/{}", "p".repeat(58));
    let headers = [("user-agent", agent.as_str())];
    assert_eq!(
        kit.get_with(&format!("{path}?{query}"), &headers).status,
        200
    );
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("url.path", path[..64].to_owned()),
            ("url.query", query[..64].to_owned()),
            ("user_agent.original", agent[..64].to_owned()),
        ],
    );
    assert_eq!(span.omitted().cut_values, 3);
    // What just fits is whole.
    assert_eq!(kit.get(&path[..64]).status, 200);
    let span = kit.span();
    assert_tags(&span, &[("url.path", path[..64].to_owned())]);
    assert_eq!(span.omitted().cut_values, 0);
}
