//! Names of tags, redaction and limits.

use http::HeaderName;
use opentracing_http::{Attribute, Limits, QueryRedaction, SemanticConvention};

use crate::app::Reply;
use crate::server::cases::assert_tags;
use crate::server::{Feature, Kit, Server};

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
        assert_tags(&kit.span_of(&path), &[("query", expected), ("raw", query)]);
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
    assert_tags(
        &kit.span_of_with("/play", &headers),
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
    kit.get_ok_with("/play", &headers);
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

/// Values are cut to the policy's limit, which is counted.
pub fn long_values_are_cut_and_counted<S: Server>() {
    let mut limits = Limits::default();
    limits.value_bytes = 64;
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["header:x-long"]).limits(limits));
    // What just fits is whole.
    let fits = "x".repeat(64);
    let span = kit.span_of_with("/play", &[("x-long", &fits)]);
    assert_tags(&span, &[("http.request.header.x-long", fits)]);
    assert_eq!(span.omitted().cut_values, 0);
    // A character is kept whole, or not at all.
    let (long, kept) = match S::CAPABILITIES.has(Feature::HeadersBeyondAscii) {
        true => ("ä".repeat(500), "ä".repeat(32)),
        false => ("x".repeat(500), "x".repeat(64)),
    };
    let span = kit.span_of_with("/play", &[("x-long", &long)]);
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
    let path = format!("/{}", "p".repeat(64));
    let headers = [("user-agent", agent.as_str())];
    assert_eq!(
        kit.get_with(&format!("{path}?{query}"), &headers).status,
        404
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
    assert_eq!(kit.get(&path[..64]).status, 404);
    let span = kit.span();
    assert_tags(&span, &[("url.path", path[..64].to_owned())]);
    assert_eq!(span.omitted().cut_values, 0);
}

/// A host without a port has its scheme's.
pub fn default_port_is_that_of_the_scheme<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    for (host, address) in [
        ("test.example", "test.example"),
        ("[2001:db8::1]", "2001:db8::1"),
    ] {
        let span = kit.span_of_with("/play", &[("host", host)]);
        assert_tags(&span, &[("server.address", address)]);
        assert_tags(&span, &[("server.port", 80)]);
    }
}

/// The query stands there, with its values redacted.
pub fn query_is_shown_redacted<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    assert_tags(
        &kit.span_of("/play?page=2&token=s3cret"),
        &[
            ("url.path", "/play"),
            ("url.query", "page=REDACTED&token=REDACTED"),
        ],
    );
}

/// Both conventions can stand side by side, for the time of a migration.
pub fn both_conventions_stand_side_by_side<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    assert_eq!(kit.get("/error").status, 503);
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("http.method", "GET"),
            ("http.url", "http://test.example/error"),
            ("component", S::CAPABILITIES.component),
            ("http.request.method", "GET"),
            ("url.path", "/error"),
            ("error.type", "503"),
        ],
    );
    assert_tags(&span, &[("http.status_code", 503)]);
    assert_tags(&span, &[("http.response.status_code", 503)]);
    assert_tags(&span, &[("error", true)]);
}
