//! Redaction of URLs in headers.

use proptest::prelude::*;

use super::redaction::{assert_shown, shown, shown_by};
use super::*;

#[test]
fn user_information_ends_at_the_last_at_sign() {
    let harness = policy(|policy| {
        policy
            .convention(SemanticConvention::Both)
            .attribute_names(["url", "host", "header:host", "referrer"])
    });
    let headers = [
        ("host", "user:p@ss@a.example"),
        ("referer", "http://user:p@ss@a.example/x"),
    ];
    let span = harness.answer(&get("/b", &headers), 200);
    for (key, value) in [
        ("url", "http://a.example/b"),
        ("http.url", "http://a.example/b"),
        ("host", "a.example"),
        ("server.address", "a.example"),
        ("http.request.header.host", "a.example"),
        ("referrer", "http://a.example/x"),
    ] {
        assert_eq!(tag(&span, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn header_that_is_a_uri_reference_is_redacted_like_the_url() {
    let names = [
        "referer",
        "x-original-url",
        "x-forwarded-uri",
        "x-rewrite-url",
        "location",
        "content-location",
        "destination",
        "x-original-uri",
        "x-envoy-original-path",
        "x-inertia-callback-url",
    ];
    for name in names {
        assert_shown(
            name,
            &[
                (
                    "https://u:p@shop/reset?token=s#f",
                    "https://shop/reset?token=REDACTED",
                ),
                ("HTTPS://u:p@shop:8443", "HTTPS://shop:8443"),
                ("http://[::1]:80/x", "http://[::1]:80/x"),
                ("/reset?dG9rZW4=", "/reset?REDACTED"),
                ("reset;v=1?token=s", "reset;v=1?token=REDACTED"),
                ("?token=s#f", "?token=REDACTED"),
                ("/app#access_token=s", "/app"),
                ("#/route?token=s", ""),
                ("//u:p@shop/x?a=b", "//shop/x?a=REDACTED"),
                ("/@ada/a@b.example", "/@ada/a@b.example"),
                (" https://u:p@shop/x ", "https://shop/x"),
                ("", ""),
            ],
        );
    }
    let span = policy(|policy| policy.attributes([Attribute::REFERRER])).answer(
        &get("/", &[("referer", "https://u:p@shop/reset?token=s#f")]),
        200,
    );
    let found = tag(&span, "referrer");
    assert_eq!(found.as_deref(), Some("https://shop/reset?token=REDACTED"));
}

#[test]
fn uri_reference_that_is_read_in_more_than_one_way_shows_no_secret() {
    assert_shown(
        "referer",
        &[
            // Several `@`, and characters that should have been encoded.
            ("https://u:p@a@shop/", "https://shop/"),
            ("https://u:p?a@shop/x", "https://REDACTED"),
            ("https://u:p/a@shop/x", "https://REDACTED"),
            ("https://u:p#a@shop/x", "https://REDACTED"),
            ("https://u:/a@shop/x", "https://REDACTED"),
            ("https://u:99999/a@shop/x", "https://REDACTED"),
            ("https://u%3Ap%40shop/x", "https://REDACTED"),
            // Forms that browsers accept: backslashes, any number of slashes.
            (r"https:\\u:p@shop\x?a=b", r"https:\\shop\x?a=REDACTED"),
            (r"\\u:p@shop/x", r"\\shop/x"),
            (r"/\u:p@shop/x", r"/\shop/x"),
            ("///u:p@shop/x", "///shop/x"),
            ("https:/u:p@shop/x", "https:/shop/x"),
            ("https:////u:p@shop/x", "https:////shop/x"),
            ("https:u:p@shop/x", "REDACTED"),
            ("https:\t//u:p@shop/x", "REDACTED"),
            ("/\t/u:p@shop/x", "REDACTED"),
            // A URL without a path can be a secret as a whole.
            ("mailto:ada@shop?body=s", "REDACTED"),
            ("data:text/plain;base64,c2VjcmV0", "REDACTED"),
            ("javascript:alert('s')", "REDACTED"),
            ("blob:https://u:p@shop/1", "REDACTED"),
            ("u:p@shop/x", "REDACTED"),
            ("7u:p@shop/x", "REDACTED"),
            // One URL within another.
            (
                "https://proxy/https://u:p@shop/x?a=b",
                "https://proxy/https://shop/x?a=REDACTED",
            ),
            ("/proxy/https:/u:p@shop/x", "/proxy/https:/shop/x"),
            (
                "/proxy/https%3A%2F%2Fu%3Ap%40shop%2Fx%3Fa%3Db",
                "/proxy/https%3A%2F%2FREDACTED",
            ),
            ("https%253a%252F/u:p@shop", "https%253a%252F/REDACTED"),
            ("https:%2F%2fu@shop", "REDACTED"),
        ],
    );
    // Bytes that are not UTF-8.
    assert_eq!(
        shown("referer", b"https://u:\xff@shop/\xe9?a=\xff"),
        "https://shop/\u{fffd}?a=REDACTED"
    );
    assert_eq!(shown("referer", b"https://u\xff:p"), "https://REDACTED");
}

#[test]
fn host_header_shows_its_host_alone() {
    for name in ["host", "x-forwarded-host", "x-original-host"] {
        assert_shown(
            name,
            &[
                ("shop.example", "shop.example"),
                ("shop.example:", "shop.example:"),
                ("[::1]:8080", "[::1]:8080"),
                ("u:p@shop.example:80", "shop.example:80"),
                ("u:p@a@shop.example", "shop.example"),
                ("shop.example?token=s", "shop.example?token=REDACTED"),
                ("shop.example/x#s", "shop.example/x"),
                ("u:p/a@shop.example", "REDACTED"),
                ("https://u:p@shop.example/x", "https://shop.example/x"),
                ("//u:p@shop.example/x", "//shop.example/x"),
                ("a.example, b.example:80", "a.example, b.example:80"),
                ("\"><script>", "REDACTED"),
                ("u:p", "REDACTED"),
            ],
        );
    }
}

#[test]
fn references_within_link_and_refresh_are_redacted() {
    assert_shown(
        "link",
        &[
            (
                "</a?token=s>; rel=\"next\", <https://u:p@shop/b#f>; rel=prev; title=\"Part: two\"",
                "</a?token=REDACTED>; rel=\"next\", <https://shop/b>; rel=prev; title=\"Part: two\"",
            ),
            ("<//u:p@shop/a", "<//shop/a"),
            (
                "</a>; anchor=\"/b?token=s\"",
                "</a>; anchor=\"/b?token=REDACTED\"",
            ),
            ("</a>; anchor=\"#s\"", "</a>; anchor=\"\""),
            ("</a>; anchor=//u:p@shop/", "</a>; REDACTED"),
            ("/a?token=s;rel=next", "/a?token=REDACTED;rel=REDACTED"),
            (
                "</a>; rel=\"https://shop/rel?s=1",
                "</a>; rel=\"https://shop/rel?s=REDACTED",
            ),
            ("</a>; x=\"data:,secret\"", "</a>; x=\"REDACTED\""),
        ],
    );
    assert_shown(
        "refresh",
        &[
            ("5", "5"),
            (
                "5; url=https://u:p@shop/x?token=s",
                "5; url=https://shop/x?token=REDACTED",
            ),
            ("0;URL = '/x?token=s' s", "0;URL = '/x?token=REDACTED'"),
            ("5, \"/x?token=s", "5, \"/x?token=REDACTED"),
            ("5 //u:p@shop/x", "5 //shop/x"),
            ("url=//u:p@shop/x", "url=//shop/x"),
            (".5;/x#s", ".5;/x"),
        ],
    );
}

#[test]
fn url_in_any_other_header_is_redacted() {
    assert_shown(
        "x-note",
        &[
            ("nothing: to/hide?here=1", "nothing: to/hide?here=1"),
            (
                "see https://u:p@shop/x?a=b#f, or <HTTP://u@shop>, or \"ftp://u:p@shop/y?z\".",
                "see https://shop/x?a=REDACTED, or <HTTP://shop>, or \"ftp://shop/y?REDACTED\".",
            ),
            (
                "https://a/?t=1,https://u:p@b/?t=2",
                "https://a/?t=REDACTED,https://b/?t=REDACTED",
            ),
            (
                "'https://a/?t=1','https://b/?t=2'",
                "'https://a/?t=REDACTED','https://b/?t=REDACTED'",
            ),
            // The part of a value after a comma is redacted, too.
            ("https://a/?t=1,2 end", "https://a/?t=REDACTED end"),
            (
                r#"{"a":"https:\/\/u:p@shop\/x?t=1"}"#,
                r#"{"a":"https:\/\/shop\/x?t=REDACTED"}"#,
            ),
            ("https://u:p,a@shop/x", "https://shop/x"),
            ("https://u:p a@shop/x", "https://REDACTED"),
            ("https://u:p\"a@shop/x", "https://REDACTED"),
            (
                "next=https%3A%2F%2Fu%3Ap%40shop end",
                "next=https%3A%2F%2FREDACTED end",
            ),
            (
                "https:%2F%2Fu@shop%2F%3Ftoken%3Ds end",
                "https:%2F%2FREDACTED end",
            ),
            (
                "https%3A//u@shop/%3Ftoken%3Ds end",
                "https%3A//REDACTED end",
            ),
            (
                "mongodb://u:p@a:27017,b:27017/db?w=1",
                "mongodb://a:27017,b:27017/db?w=REDACTED",
            ),
            ("a ://u:p@shop", "a ://shop"),
            (
                "default-src https://*.shop:*; img-src https://cdn.shop:8443; x",
                "default-src https://*.shop:*; img-src https://cdn.shop:8443; x",
            ),
            (
                "bot (+http://bot.example:80)",
                "bot (+http://bot.example:80)",
            ),
            ("https://", "https://"),
        ],
    );
}

#[test]
fn urls_in_headers_follow_the_policys_query_redaction() {
    let value = "https://u:p@shop/x?page=2&Sig=s#f";
    for name in ["referer", "x-note"] {
        let found = shown_by(
            |policy| policy.query_redaction(QueryRedaction::signatures()),
            name,
            value,
        );
        assert_eq!(found, "https://shop/x?page=2&Sig=REDACTED");
        let found = shown_by(
            |policy| policy.query_redaction(QueryRedaction::Nothing),
            name,
            value,
        );
        assert_eq!(found, "https://shop/x?page=2&Sig=s");
    }
}

#[test]
fn value_is_redacted_before_it_is_cut() {
    let mut limits = opentracing_http::Limits::default();
    limits.value_bytes = 20;
    // If the URL were cut first, the user's name would be taken for the host.
    let found = shown_by(
        |policy| policy.limits(limits),
        "referer",
        format!("https://{}:p@shop/abcdef?x", "u".repeat(50)),
    );
    assert_eq!(found, "https://shop/abcdef?");
    let found = shown_by(
        |policy| policy.limits(limits),
        "referer",
        "https://shop/é/é/é/é",
    );
    assert_eq!(found, "https://shop/é/é/");
}

/// A rule with unlimited look-ahead would take minutes for each of these.
#[test]
fn very_long_value_is_redacted_to_its_end() {
    let pieces = [
        "a:/",
        "://",
        "http://a@b:/",
        ",a:/",
        ",http://a",
        "%25",
        "%3a",
        ":%25",
        "%3a%2f",
        "@",
        "<",
        "<//a@",
        "\"",
        "?",
        "&",
        ";a=",
        "=",
        "url=",
        "'",
        "https://u:p@h/?a=b,",
        "https://a:1/ ",
        "[",
        "#",
    ];
    let mut limits = opentracing_http::Limits::default();
    limits.value_bytes = 1 << 24;
    for piece in pieces {
        let value = piece.repeat(250_000 / piece.len()) + " https://u:s3cr3t@h";
        for name in ["referer", "host", "link", "refresh", "x-note"] {
            let found = shown_by(|policy| policy.limits(limits), name, &value);
            assert!(!found.contains("s3cr3t"), "{name}: {piece}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A secret in user information, in a query's value or in a fragment is redacted, whatever text is around it.
    #[test]
    fn secret_in_a_url_is_shown_by_no_header(
        scheme in "[a-zA-Z][a-z+.-]{0,5}:",
        slashes in r"[/\\]{2,3}",
        user in "[a-z0-9%!$&*+;=.~-]{0,6}",
        colons in "[:@]{1,2}[a-z0-9]{0,2}",
        host in r"([a-z0-9.-]{1,8}|\[::1\])(:[0-9]{1,4})?",
        path in r"([/\\][a-z0-9%@:;.-]{0,5}){0,3}",
        key in "[a-zA-Z0-9%&;,?=\\[\\]]{0,6}",
        before in "[ -~]{0,12}",
        after in "([ \"]?[ -~]{0,12})",
        name in prop::sample::select(vec!["referer", "location", "host", "link", "refresh", "x-note"]),
    ) {
        let url = format!("{scheme}{slashes}{user}{colons}s3cr3t@{host}{path}?{key}=s3cr3t#s3cr3t");
        let lone = matches!(name, "referer" | "location" | "host");
        let value = match name {
            "link" => format!("<{url}>; title=\"x\""),
            "refresh" => format!("3; url={url}"),
            _ if lone => url,
            // Whatever else is in the text: it ends with a blank, so that it is no part of the URL.
            _ => format!("{before} {url} {}", after.trim_start()),
        };
        let found = shown(name, &value);
        prop_assert!(!found.contains("s3cr3t"), "{name}: {value} -> {found}");
    }

    /// No text causes a panic, or a result beyond the limit.
    #[test]
    fn any_bytes_are_shown_within_the_limit(
        value in r"([a-z:/\\@?#&;=%<>,'\x22 \[\]\u{80}-\u{7ff}]|://|%3a%2f|\t){0,60}",
        name in prop::sample::select(vec!["referer", "host", "link", "refresh", "x-note"]),
    ) {
        let mut limits = opentracing_http::Limits::default();
        limits.value_bytes = 16;
        let found = shown_by(|policy| policy.limits(limits), name, &value);
        prop_assert!(found.len() <= 16);
    }
}
