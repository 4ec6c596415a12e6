//! The options of a policy for the origin of requests.

use super::proxies::{SECURE, SENT, SHOP, inside, one, shown, span_of, url, url_of};
use super::*;

#[test]
fn each_fact_has_its_switch() {
    let common = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "8443"),
    ];
    let standard = [("forwarded", "for=1.2.3.4;proto=https;host=shop.example")];
    let one = Forwarded::hops(1);
    for (forwarded, expected, of_standard) in [
        (one.clone(), "https://10.0.0.9:8443/x", SECURE),
        (one.clone().host(true), "https://shop.example:8443/x", SHOP),
        (
            one.clone().host(true).host(false),
            "https://10.0.0.9:8443/x",
            SECURE,
        ),
        (one.clone().host(true).port(false), SHOP, SHOP),
        (
            one.clone().host(true).scheme(false),
            "http://shop.example:8443/x",
            "http://shop.example/x",
        ),
        (one.clone().scheme(false).port(false), SENT, SENT),
    ] {
        let harness = shown(forwarded.clone());
        assert_eq!(url(forwarded.clone(), &common), expected, "{forwarded:?}");
        assert_eq!(url(forwarded, &standard), of_standard);
        let span = span_of(&harness, &get("/x", &common));
        assert_eq!(tag(&span, "client.address").as_deref(), Some("1.2.3.4"));
    }
}

#[test]
fn policy_knows_the_scheme_where_nobody_else_does() {
    let harness = |forwarded| {
        policy(|policy| {
            policy
                .scheme("HTTPS")
                .forwarded(forwarded)
                .convention(SemanticConvention::Both)
                .attributes([Attribute::URL, Attribute::HOST, Attribute::SCHEME])
        })
    };
    let host = ("host", "shop.example");
    let http = [host, ("x-forwarded-proto", "http")];
    for (forwarded, request, expected) in [
        (Forwarded::nobody(), get("/x", &[host]), SHOP),
        (Forwarded::nobody(), get("/x", &http), SHOP),
        (Forwarded::hops(1), get("/x", &[host]), SHOP),
        // The request knows it, or the proxy does.
        (
            Forwarded::nobody(),
            get("http://shop.example/x", &[]),
            "http://shop.example/x",
        ),
        (
            Forwarded::hops(1),
            get("/x", &http),
            "http://shop.example/x",
        ),
    ] {
        assert_eq!(url_of(&span_of(&harness(forwarded), &request)), expected);
    }
    for wrong in ["", "ftp", "wss", "https://", "https:", " https"] {
        let error = HttpTracing::builder(InMemoryTracer::new())
            .scheme(wrong)
            .build();
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("`scheme`") && error.contains("give `https` or `http`"),
            "{error}"
        );
    }
}

#[test]
fn host_without_a_trusted_proxy_is_an_error() {
    let build = |forwarded| {
        HttpTracing::builder(InMemoryTracer::new())
            .forwarded(forwarded)
            .build()
    };
    let error = build(Forwarded::nobody().host(true))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`forwarded`") && error.contains("Forwarded::hops"),
        "{error}"
    );
    assert!(build(Forwarded::hops(0).host(true)).is_err());
    assert!(build(one()).is_ok() && build(inside()).is_ok() && build(Forwarded::nobody()).is_ok());
}

#[test]
fn inner_mount_points_show_the_same_origin() {
    let harness = policy(|policy| policy.forwarded(one()));
    let inner = harness
        .mount(|mount| mount.attributes([Attribute::URL, Attribute::HOST, Attribute::SCHEME]));
    let headers = [
        ("host", "10.0.0.9:8080"),
        ("forwarded", "for=1.2.3.4;proto=https;host=shop.example"),
    ];
    let request = get("/x", &headers);
    let mut outer = harness.begin(&request);
    outer.scope(|| {
        let inner = inner.begin(&Marked(&request));
        drop(respond(inner, 200, BodySize::Empty));
    });
    assert!(respond(outer, 200, BodySize::Empty).is_none());
    let span = harness.only();
    for (key, expected) in [("url", SHOP), ("host", "shop.example"), ("scheme", "https")] {
        assert_eq!(tag(&span, key).as_deref(), Some(expected), "{key}");
    }
}

#[test]
fn callbacks_get_the_request_as_it_arrived() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let found = seen.clone();
    let harness = policy(|policy| {
        policy
            .forwarded(one())
            .scheme("https")
            .on_start(move |_, request| {
                let host = request.host().map(str::to_owned);
                found
                    .lock()
                    .unwrap()
                    .push((request.scheme().map(str::to_owned), host));
            })
    });
    let headers = [
        ("host", "10.0.0.9:8080"),
        ("forwarded", "for=1.2.3.4;proto=https;host=shop.example"),
    ];
    harness.answer(&get("/x", &headers), 200);
    let expected = (None, Some("10.0.0.9:8080".to_owned()));
    assert_eq!(*seen.lock().unwrap(), [expected]);
}
