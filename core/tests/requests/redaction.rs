//! What is kept out of tags: values of queries, credentials in URLs, headers that carry secrets.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// The request's query as the attribute `query` shows it.
fn shown_query(redaction: &QueryRedaction, query: &str) -> String {
    let harness = policy(|policy| {
        policy
            .query_redaction(redaction.clone())
            .attributes([Attribute::QUERY])
    });
    let span = harness.answer(&get(&format!("/users/7?{query}"), &[]), 200);
    tag(&span, "query").unwrap()
}

/// A header of the request as its attribute shows it, under this policy.
fn shown_by(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
    name: &str,
    value: impl AsRef<[u8]>,
) -> String {
    let name: HeaderName = name.parse().unwrap();
    let harness =
        policy(|policy| change(policy).attributes([Attribute::header(name.clone()).tag("shown")]));
    let mut request = get("/", &[]);
    let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
    request.headers_mut().insert(name, value);
    tag(&harness.answer(&request, 200), "shown").unwrap()
}

fn shown(name: &str, value: impl AsRef<[u8]>) -> String {
    shown_by(|policy| policy, name, value)
}

fn assert_shown(name: &str, values: &[(&str, &str)]) {
    for (value, expected) in values {
        assert_eq!(shown(name, value), *expected, "{name}: {value}");
    }
}

#[test]
fn parameter_without_a_value_is_redacted_whole() {
    for (query, expected) in [
        ("dG9rZW4=", "REDACTED"),
        ("c2VjcmV0LXRva2VuIQ==", "REDACTED"),
        ("dG9rZW4%3D", "REDACTED"),
        ("dG9rZW4=%3D", "REDACTED"),
        ("dG9rZW4=%20", "REDACTED"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln=&x=1", "REDACTED&x=REDACTED"),
        ("SECRET;a=1", "REDACTED;a=REDACTED"),
        ("a=1;token=x", "a=REDACTED;token=REDACTED"),
        ("a=1&b=2=3&&c;", "a=REDACTED&b=REDACTED&&REDACTED;"),
        ("=secret", "=REDACTED"),
        ("", ""),
    ] {
        let found = shown_query(&QueryRedaction::AllValues, query);
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn key_of_a_query_is_shown_only_if_it_is_short_and_plain() {
    let fits = "k".repeat(32);
    // As long as the one that fits, once it is decoded.
    let encoded = "%6b".repeat(32);
    for key in [
        "a[b]", "a%5Bb%5D", "a.b-c_D9", "%74oken", &fits, &encoded, "[]",
    ] {
        let found = shown_query(&QueryRedaction::AllValues, &format!("{key}=x&y=z"));
        assert_eq!(found, format!("{key}=REDACTED&y=REDACTED"));
    }
    let long = "k".repeat(33);
    for key in [
        &*long, "a+b", "a%20b", "a%2520b", "a%3Db", "a@b", "a/b", "a?b", "a:b", "a~b", "%", "%4",
        "%zz", "%C3%A9", "a%00",
    ] {
        let found = shown_query(&QueryRedaction::AllValues, &format!("{key}=x&y=z"));
        assert_eq!(found, "REDACTED=REDACTED&y=REDACTED", "{key}");
    }
}

#[test]
fn keys_of_a_query_are_compared_decoded_and_without_regard_to_case() {
    let signatures = QueryRedaction::signatures();
    for (query, expected) in [
        ("a=1&sig=x&Sig=y&c", "a=1&sig=REDACTED&Sig=REDACTED&c"),
        ("x-amz-signature=x&p=2", "x-amz-signature=REDACTED&p=2"),
        ("X%2DAmz-%53ignature=x", "X%2DAmz-%53ignature=REDACTED"),
        ("a=1;SIG=x", "a=1;SIG=REDACTED"),
        ("sig[]=x&a[sig]=y", "sig[]=REDACTED&a[sig]=REDACTED"),
        ("sig%5B0%5D=x", "sig%5B0%5D=REDACTED"),
        ("design=1&sigs=2&xsig=3", "design=1&sigs=2&xsig=3"),
        ("%2573ig=x", "%2573ig=x"),
        // Who does not separate at `;` takes the rest for a part of the signature.
        ("sig=ab;cd&e=f", "sig=REDACTED;REDACTED&e=f"),
        ("sig=ab;c=d;&e=f", "sig=REDACTED;REDACTED;&e=f"),
    ] {
        assert_eq!(shown_query(&signatures, query), expected, "{query}");
    }
    let mine = QueryRedaction::Keys(vec!["my key".into(), "a[b]".into()]);
    let found = shown_query(&mine, "My+Key=x&my%20key=y&a%5bb]=z&b=1");
    let expected = "My+Key=REDACTED&my%20key=REDACTED&a%5bb]=REDACTED&b=1";
    assert_eq!(found, expected);
    assert_eq!(
        shown_query(&QueryRedaction::Nothing, "sig=x;b&"),
        "sig=x;b&"
    );
}

#[test]
fn query_of_the_convention_is_redacted_by_the_same_rule() {
    let harness = policy(|policy| policy.convention(Convention::OpenTelemetry));
    let span = harness.answer(&get("/users/7?dG9rZW4=&a[b]=1", &[]), 200);
    let found = tag(&span, "url.query");
    assert_eq!(found.as_deref(), Some("REDACTED&a[b]=REDACTED"));
}

#[test]
fn user_information_ends_at_the_last_at_sign() {
    let harness = policy(|policy| {
        policy.convention(Convention::Both).attribute_names([
            "url",
            "host",
            "header:host",
            "referrer",
        ])
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
            // As browsers read it: backslashes, any number of slashes.
            (r"https:\\u:p@shop\x?a=b", r"https:\\shop\x?a=REDACTED"),
            (r"\\u:p@shop/x", r"\\shop/x"),
            (r"/\u:p@shop/x", r"/\shop/x"),
            ("///u:p@shop/x", "///shop/x"),
            ("https:/u:p@shop/x", "https:/shop/x"),
            ("https:////u:p@shop/x", "https:////shop/x"),
            ("https:u:p@shop/x", "REDACTED"),
            ("https:\t//u:p@shop/x", "REDACTED"),
            ("/\t/u:p@shop/x", "REDACTED"),
            // No path: all of it may be a secret.
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
    // Bytes that are no text.
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
            // A comma within a value does not show the rest of it.
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
fn user_agent_of_the_convention_is_redacted_like_any_other_header() {
    let harness = policy(|policy| policy.convention(Convention::OpenTelemetry));
    let agent = [("user-agent", "bot/1 (+https://u:p@shop/?token=s)")];
    let span = harness.answer(&get("/", &agent), 200);
    let found = tag(&span, "user_agent.original");
    assert_eq!(
        found.as_deref(),
        Some("bot/1 (+https://shop/?token=REDACTED")
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
fn unredacted_attribute_shows_the_whole_value() {
    let value = "https://u:p@shop/x?token=s#f";
    let names = ["referer", "location", "link", "refresh", "host", "x-note"];
    let names = names.map(HeaderName::from_static);
    let secret = HeaderName::from_static("x-access-token");
    let mine = HeaderName::from_static("x-mine");
    let all = names.into_iter().chain([secret, mine]);
    for name in all {
        let harness = policy(|policy| {
            policy.redact_headers(["x-mine"]).attributes([
                Attribute::header(name.clone()).unredacted().tag("shown"),
                Attribute::response_header(name.clone())
                    .unredacted()
                    .tag("response"),
            ])
        });
        let mut headers = HeaderMap::new();
        headers.insert(name.clone(), value.parse().unwrap());
        let mut request = get("/", &[]);
        *request.headers_mut() = headers.clone();
        let _ = harness
            .begin(&request)
            .head(&response(200, &headers, BodySize::Empty));
        let span = harness.only();
        assert_eq!(tag(&span, "shown").as_deref(), Some(value), "{name}");
        assert_eq!(tag(&span, "response").as_deref(), Some(value), "{name}");
    }
}

#[test]
fn response_headers_are_redacted_by_the_same_rules() {
    let harness = policy(|policy| {
        policy.redact_headers(["x-mine"]).attribute_names([
            "response.header:location",
            "response.header:x-refresh-token",
            "response.header:x-mine",
            "response.header:x-note",
        ])
    });
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("location", "/welcome?code=s"),
        ("location", "//u:p@shop/"),
        ("x-refresh-token", "s"),
        ("x-mine", "s"),
        ("x-note", "https://u:p@shop/"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    let _ = harness
        .begin(&get("/", &[]))
        .head(&response(302, &headers, BodySize::Empty));
    let span = harness.only();
    for (name, expected) in [
        ("location", "/welcome?code=REDACTED, //shop/"),
        ("x-refresh-token", "REDACTED"),
        ("x-mine", "REDACTED"),
        ("x-note", "https://shop/"),
    ] {
        let found = tag(&span, &format!("http.response.header.{name}"));
        assert_eq!(found.as_deref(), Some(expected), "{name}");
    }
}

#[test]
fn header_whose_name_is_that_of_a_credential_is_redacted() {
    for name in [
        // Those that are known by their whole name.
        "authorization",
        "cookie",
        "cookie2",
        "proxy-authenticate",
        "proxy-authorization",
        "set-cookie",
        "set-cookie2",
        "www-authenticate",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "sec-websocket-protocol",
        "dpop",
        "x-amzn-oidc-data",
        // Those that a part of the name gives away.
        "api-key",
        "apikey",
        "api_key",
        "private-token",
        "x-access-token",
        "x-access-tokens",
        "x-vault-token",
        "x-goog-api-key",
        "x-session-id",
        "sessionid",
        "jsessionid",
        "x-xsrf-token",
        "x-authorization",
        "x-forwarded-access-token",
        "x-amzn-oidc-accesstoken",
        "cf-access-jwt-assertion",
        "ocp-apim-subscription-key",
        "subscriptionkey",
        "x-client-secret",
        "clientsecret",
        "x-password",
        "x-user-passwd",
        "x-credentials",
        "x-amz-credential",
        "stripe-signature",
        "x-hub-signature-256",
        "authentication-info",
        "x-sentry-auth",
        "x-oauth",
        "x_auth_user",
        "x-authtoken",
        "x-auth-key",
        "x-functions-key",
        "x-vendor-key",
        "x-amz-server-side-encryption-customer-key",
        "awsaccesskeyid",
        "x-access-key-id",
        "x-cookies",
        "x-bearer",
        "x-github-otp",
        "requestverificationtoken",
        "x.access.token",
    ] {
        assert_eq!(shown(name, "s3cret"), "REDACTED", "{name}");
    }
}

#[test]
fn header_whose_name_only_resembles_that_of_a_credential_is_shown() {
    for name in [
        "x-author",
        "x-authors",
        "x-authority",
        "x-authored-by",
        "x-authenticated-userid",
        "idempotency-key",
        "cache-key",
        "surrogate-key",
        "sec-websocket-key",
        "x-ms-documentdb-partitionkey",
        "x-request-id",
        "x-compass",
        "x-bypass",
        "x-monkey",
        "x-signal",
        "x-assigned",
        "etag",
        "content-type",
        "x-tenant",
        "x-keyboard",
        "x-key-count",
        "sec-websocket-version",
    ] {
        assert_eq!(shown(name, "plain"), "plain", "{name}");
    }
}

#[test]
fn header_named_in_the_policy_is_redacted() {
    let redacted = |name| {
        shown_by(
            |policy| policy.redact_headers(["X-Ticket", "x-badge"]),
            name,
            "s",
        )
    };
    assert_eq!(redacted("x-ticket"), "REDACTED");
    assert_eq!(redacted("x-badge"), "REDACTED");
    assert_eq!(redacted("x-other"), "s");
    // Called again it adds; what it names is hidden at a mount point as well.
    let harness = policy(|policy| policy.redact_headers(["x-one"]).redact_headers(["x-two"]));
    let inner = harness
        .instrumentation
        .clone()
        .attributes(["header:x-one", "header:x-two"].map(|name| name.parse().unwrap()));
    let request = get("/", &[("x-one", "s"), ("x-two", "s")]);
    let mut span = harness.begin(&request);
    span.scope(|| assert!(inner.begin_or_join(&request, true).is_none()));
    drop(span);
    let span = harness.only();
    for name in ["x-one", "x-two"] {
        let found = tag(&span, &format!("http.request.header.{name}"));
        assert_eq!(found.as_deref(), Some("REDACTED"));
    }
    // Under the names that conventions and attributes have for it as well.
    let harness = policy(|policy| {
        policy
            .convention(Convention::OpenTelemetry)
            .attributes([Attribute::USER_AGENT, Attribute::REFERRER])
            .redact_headers(["User-Agent", "Referer"])
    });
    let headers = [("user-agent", "s"), ("referer", "/s")];
    let span = harness.answer(&get("/", &headers), 200);
    for key in ["user_agent", "user_agent.original", "referrer"] {
        assert_eq!(tag(&span, key).as_deref(), Some("REDACTED"), "{key}");
    }
}

#[test]
fn wrong_header_name_in_the_policy_is_an_error_with_its_remedy() {
    for name in ["", "x ticket", "header:x-ticket", "x-ticket\n", "x-tickét"] {
        let error = HttpTracing::builder(InMemoryTracer::new())
            .redact_headers(["x-right", name])
            .build()
            .unwrap_err();
        assert_eq!(error.option(), "redact_headers");
        let text = error.to_string();
        assert!(text.contains(&format!("{name:?}")), "{text}");
        assert!(text.contains("`x-ticket`"), "{text}");
    }
}

#[test]
fn value_is_redacted_before_it_is_cut() {
    let mut limits = opentracing_http::Limits::default();
    limits.value_bytes = 20;
    // Cut first, the user's name would be taken for the host.
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

/// Each of these inputs takes minutes if a rule looks ahead without a bound.
#[test]
fn very_long_values_take_time_in_proportion() {
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
    let start = std::time::Instant::now();
    for piece in pieces {
        let value = piece.repeat(250_000 / piece.len());
        for name in ["referer", "host", "link", "refresh", "x-note"] {
            shown_by(|policy| policy.limits(limits), name, &value);
        }
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(30), "{piece}: {elapsed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever stands round it, a secret in user information, in a query's value or in a fragment does not show.
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

    /// Nor does anything make it panic, or shows more than fits.
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

#[test]
fn redacted_query_of_the_convention_is_no_longer_than_a_value_may_be() {
    let harness = policy(|policy| policy.convention(Convention::OpenTelemetry));
    let query = "a&".repeat(2000);
    let span = harness.answer(&get(&format!("/?{query}"), &[]), 200);
    let shown = tag(&span, "url.query").unwrap();
    assert_eq!(shown.len(), 4096);
    assert!(shown.starts_with("REDACTED&REDACTED&"));
}
