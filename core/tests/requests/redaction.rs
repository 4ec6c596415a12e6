//! Redaction of query values and of headers that contain secrets.

use http::{HeaderName, HeaderValue};

use super::*;

/// Returns the request's query as the attribute `query` shows it.
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
pub(super) fn shown_by(
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

pub(super) fn shown(name: &str, value: impl AsRef<[u8]>) -> String {
    shown_by(|policy| policy, name, value)
}

pub(super) fn assert_shown(name: &str, values: &[(&str, &str)]) {
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
    // When it is decoded, it is as long as the one that fits.
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
        // A parser that does not separate at `;` takes the rest for a part of the signature.
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
    let harness = policy(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    let span = harness.answer(&get("/users/7?dG9rZW4=&a[b]=1", &[]), 200);
    let found = tag(&span, "url.query");
    assert_eq!(found.as_deref(), Some("REDACTED&a[b]=REDACTED"));
}

#[test]
fn user_agent_of_the_convention_is_redacted_like_any_other_header() {
    let harness = policy(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    let agent = [("user-agent", "bot/1 (+https://u:p@shop/?token=s)")];
    let span = harness.answer(&get("/", &agent), 200);
    let found = tag(&span, "user_agent.original");
    assert_eq!(
        found.as_deref(),
        Some("bot/1 (+https://shop/?token=REDACTED")
    );
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
        let mut response = response(200, &mut headers, BodySize::Empty);
        assert!(harness.begin(&request).respond(&mut response).is_none());
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
    let mut response = response(302, &mut headers, BodySize::Empty);
    let body = harness.begin(&get("/", &[])).respond(&mut response);
    assert!(body.is_none());
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
        // Names that are secret as a whole.
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
        // Names that are secret because of a part of them.
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
    // A second call adds names. They are redacted at mount points as well.
    let harness = policy(|policy| policy.redact_headers(["x-one"]).redact_headers(["x-two"]));
    let attributes = ["header:x-one", "header:x-two"].map(|name| name.parse().unwrap());
    let inner = harness.mount(|mount_point| mount_point.attributes(attributes));
    let request = get("/", &[("x-one", "s"), ("x-two", "s")]);
    let mut span = harness.begin(&request);
    span.scope(|| assert!(!inner.begin(&Marked(&request)).is_outermost()));
    drop(span);
    let span = harness.only();
    for name in ["x-one", "x-two"] {
        let found = tag(&span, &format!("http.request.header.{name}"));
        assert_eq!(found.as_deref(), Some("REDACTED"));
    }
    // Also under the names that conventions and attributes give to it.
    let harness = policy(|policy| {
        policy
            .convention(SemanticConvention::OpenTelemetry)
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
fn redacted_query_of_the_convention_is_no_longer_than_a_value_may_be() {
    let harness = policy(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    let query = "a&".repeat(2000);
    let span = harness.answer(&get(&format!("/?{query}"), &[]), 200);
    let shown = tag(&span, "url.query").unwrap();
    assert_eq!(shown.len(), 4096);
    assert!(shown.starts_with("REDACTED&REDACTED&"));
}
