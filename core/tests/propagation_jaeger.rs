//! Jaeger's own format.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{Extraction, Jaeger, Outgoing, Propagation, W3c};
use opentracing_http::{Baggage, Carrier, SpanContext, SpanId, TraceFlags, TraceId};

const VALID: &str = "80f198ee56343ba864fe8b2a57d3eff7:e457b5a2e4d86bd1:0:1";

fn extract<V: AsRef<[u8]>>(headers: &[(&str, V)]) -> (Extraction, u64) {
    let propagation = Propagation::none().read(Jaeger);
    let found = propagation.extract(
        &headers
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect::<Vec<_>>(),
    );
    let refusals = propagation.refusals().map(|(_, count)| count).sum();
    (found, refusals)
}

fn context(trace: u128, span: u64, flags: TraceFlags) -> SpanContext {
    let ids = (
        TraceId::new(trace).expect("not zero"),
        SpanId::new(span).expect("not zero"),
    );
    SpanContext::new(ids.0, ids.1, flags)
}

fn items(found: &Extraction) -> Vec<(&str, &str)> {
    found.baggage().iter().collect()
}

fn inject(outgoing: &Outgoing<'_>) -> BTreeMap<String, String> {
    let mut carrier = BTreeMap::new();
    Propagation::none()
        .write(Jaeger)
        .inject(outgoing, &mut carrier);
    carrier
}

#[test]
fn valid_ids() {
    let (high, low) = (
        0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
        0xe457_b5a2_e4d8_6bd1,
    );
    for (value, trace, span, flags) in [
        (VALID, high, low, TraceFlags::SAMPLED),
        (
            "80F198EE56343BA864FE8B2A57D3EFF7:E457B5A2E4D86BD1:0:1",
            high,
            low,
            TraceFlags::SAMPLED,
        ),
        (" \tabc:12:0:0 ", 0xabc, 0x12, TraceFlags::NOT_SAMPLED),
        ("1:1:1:1", 1, 1, TraceFlags::SAMPLED),
        (
            "00000000000000000000000000000abc:0000000000000012:e457b5a2e4d86bd1:01",
            0xabc,
            0x12,
            TraceFlags::SAMPLED,
        ),
        ("abc:12:0:2", 0xabc, 0x12, TraceFlags::DEBUG),
        ("abc:12:0:3", 0xabc, 0x12, TraceFlags::DEBUG),
        ("abc:12:0:8", 0xabc, 0x12, TraceFlags::NOT_SAMPLED),
        ("abc:12:0:9", 0xabc, 0x12, TraceFlags::SAMPLED),
        ("abc:12:0:b", 0xabc, 0x12, TraceFlags::DEBUG),
        ("abc:12:0:ff", 0xabc, 0x12, TraceFlags::DEBUG),
        // Hexadecimal, not decimal: 0x11 is sampled, 11 would be debug too.
        ("abc:12:0:11", 0xabc, 0x12, TraceFlags::SAMPLED),
        ("abc%3A12%3A0%3A1", 0xabc, 0x12, TraceFlags::SAMPLED),
        ("abc%3a12:0%3a1", 0xabc, 0x12, TraceFlags::SAMPLED),
    ] {
        let (found, refusals) = extract(&[("Uber-Trace-Id", value)]);
        assert_eq!(
            (found.context(), refusals),
            (Some(context(trace, span, flags)), 0),
            "{value:?}"
        );
    }
}

#[test]
fn refused_ids() {
    let refused: &[&[u8]] = &[
        b"",
        b":",
        b":::",
        b"1:1:1",
        b"1:1:1:",
        b":1:1:1",
        b"1::1:1",
        b"1:1::1",
        b"1:1:1:1:1",
        b"1:1:1:1:",
        b"0:0:0:1",
        b"0:1:0:1",
        b"1:0:0:1",
        b"00000000000000000000000000000000:1:0:1",
        b"000000000000000000000000000000001:1:0:1",
        b"1:00000000000000001:0:1",
        b"1:1:00000000000000001:1",
        b"1:1:0:001",
        b"1:1:0:100",
        b"1:1:0:g",
        b"g:1:0:1",
        b"1:g:0:1",
        b"1:1:g:1",
        b"+a:1:0:1",
        b"a:+1:0:1",
        b"a:1:+0:1",
        b"a:1:0:+1",
        b"a:1:0:-1",
        b"0xa:1:0:1",
        b"a :1:0:1",
        b"a: 1:0:1",
        b"a:1:0: 1",
        b"a:1:0:1\n",
        b"a:1:0:1\0",
        b"a;1;0;1",
        b"a%253A1%253A0%253A1",
        b"a%3B1%3B0%3B1",
        b"a%3",
        b"a%",
        b"a:1:0:%31",
        b"a:1:0:1,a:1:0:1",
        b"\xff:1:0:1",
        b"a:1:0:\xff",
        &[b':'; 100_000],
        &[b'1'; 100_000],
        &[b'%'; 100_000],
    ];
    for value in refused {
        let (found, refusals) = extract(&[("uber-trace-id", value)]);
        assert_eq!(
            (found.context(), refusals),
            (None, 1),
            "{}",
            value.escape_ascii()
        );
    }
    let (found, refusals) = extract(&[("uber-trace-id", VALID), ("uber-trace-id", VALID)]);
    assert_eq!((found.context(), refusals), (None, 1));
}

#[test]
fn debug_ids() {
    let cases: &[(&[u8], Option<&str>)] = &[
        (b"some-correlation-id", Some("some-correlation-id")),
        (b" a b ", Some("a b")),
        ("für+mich%20".as_bytes(), Some("für+mich%20")),
        (b"", None),
        (b" \t", None),
        (b"\xff", None),
        (b"a\xff", None),
    ];
    for (value, expected) in cases {
        let (found, refusals) = extract(&[("jaeger-debug-id", *value)]);
        assert_eq!(
            (found.debug_id(), found.has_context(), refusals),
            (*expected, false, 0)
        );
        let (found, refusals) = extract(&[
            ("jaeger-debug-id", *value),
            ("uber-trace-id", VALID.as_bytes()),
        ]);
        assert_eq!(
            (found.debug_id(), found.has_context(), refusals),
            (*expected, true, 0)
        );
    }
    let (found, _) = extract(&[("jaeger-debug-id", "first"), ("jaeger-debug-id", "second")]);
    assert_eq!(found.debug_id(), Some("first"));
    let (found, _) = extract(&[("jaeger-debug-id", "€".repeat(100_000))]);
    assert_eq!(
        found.debug_id(),
        Some(&*"€".repeat(Extraction::MAX_DEBUG_ID / 3))
    );
}

#[test]
fn baggage_items_have_headers_of_their_own() {
    let (found, refusals) = extract(&[
        ("uberctx-tenant", &b"blue"[..]),
        ("Uberctx-User-Id", b"J%c3%BCrgen+M%2B"),
        ("uberctx-empty", b""),
        ("uberctx-raw", "grün, 5% = b".as_bytes()),
        ("uberctx-latin", b"gr\xfcn"),
        ("uberctx-escaped", b"%ff"),
        ("uberctx-tenant", b"second"),
        ("UBERCTX-TENANT", b"third"),
        ("uber-ctx", b"no"),
    ]);
    assert_eq!(
        items(&found),
        [
            ("tenant", "blue"),
            ("user-id", "Jürgen M+"),
            ("empty", ""),
            ("raw", "grün, 5% = b"),
            ("latin", "gr\u{fffd}n"),
            ("escaped", "\u{fffd}"),
        ]
    );
    assert_eq!((found.has_context(), refusals), (false, 0));

    let (found, refusals) = extract(&[
        ("uberctx-", "empty key"),
        ("uberctx-a b", "blank"),
        ("uberctx-\u{e4}", "no token"),
        ("uberctx-a:b", "no token"),
        ("uberctx-ok", "1"),
        ("uber-trace-id", VALID),
    ]);
    assert_eq!((items(&found), refusals), (vec![("ok", "1")], 1));
    assert_eq!(found.context().unwrap().baggage().get("ok"), Some("1"));
}

#[test]
fn baggage_comes_from_people_in_one_header() {
    let (found, refusals) = extract(&[
        ("jaeger-baggage", &b"k1=v1, k2 = v2,,K3=a%20b+c=="[..]),
        ("jaeger-baggage", b"k4=x%2Cy,k1=second, k5="),
    ]);
    assert_eq!(
        items(&found),
        [
            ("k1", "v1"),
            ("k2", "v2"),
            ("K3", "a b c=="),
            ("k4", "x,y"),
            ("k5", "")
        ]
    );
    assert_eq!(refusals, 0);
    for bad in [&b"bad"[..], b"=1", b"b d=1", b"\xff=1"] {
        let (found, refusals) = extract(&[("jaeger-baggage", [b"a=1,", bad, b",c=3"].concat())]);
        assert_eq!(
            (items(&found), refusals),
            (vec![("a", "1"), ("c", "3")], 1),
            "{}",
            bad.escape_ascii()
        );
    }
}

#[test]
fn an_item_whose_case_http_took_away_is_not_read_twice() {
    let propagation = Propagation::none().read(W3c).read(Jaeger);
    let found = propagation.extract(&[
        ("baggage", "userId=alice"),
        ("uberctx-userid", "alice"),
        ("uberctx-x", "1"),
    ]);
    assert_eq!(items(&found), [("userId", "alice"), ("x", "1")]);
}

#[test]
fn baggage_is_bounded() {
    let many: Vec<_> = (0..1000).map(|n| (format!("uberctx-k{n}"), "v")).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (&**name, *value)).collect();
    let (found, refusals) = extract(&many);
    assert_eq!((found.baggage().len(), refusals), (Baggage::MAX_ITEMS, 1));

    let huge = "v".repeat(1_000_000);
    let (found, refusals) = extract(&[
        ("uberctx-a", "1"),
        ("uberctx-huge", &huge),
        ("uberctx-b", "2"),
    ]);
    assert_eq!((items(&found), refusals), (vec![("a", "1"), ("b", "2")], 1));
    let (found, refusals) = extract(&[("jaeger-baggage", format!("a=1,huge={huge},b=2"))]);
    assert_eq!((items(&found), refusals), (vec![("a", "1"), ("b", "2")], 1));

    let mut baggage = Baggage::new();
    assert!(
        baggage.set("a", "1") && baggage.set("grows", &"€".repeat(1000)) && baggage.set("b", "2")
    );
    let written = inject(&Outgoing::baggage_only(&baggage));
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        ["uberctx-a", "uberctx-b"]
    );
}

#[test]
fn writes_the_context() {
    for (flags, expected) in [
        (TraceFlags::NOT_SAMPLED, "0"),
        (TraceFlags::SAMPLED, "1"),
        (TraceFlags::SAMPLED.with_random(true), "1"),
        (TraceFlags::NOT_SAMPLED.with_random(true), "0"),
        (TraceFlags::DEBUG, "3"),
        (TraceFlags::DEFERRED, "0"),
    ] {
        let written = inject(&Outgoing::new(&context(0xabc, 0x12, flags)));
        let ids = format!("00000000000000000000000000000abc:0000000000000012:0:{expected}");
        assert_eq!(
            written.into_iter().collect::<Vec<_>>(),
            [("uber-trace-id".to_owned(), ids)]
        );
    }

    let mut baggage = Baggage::new();
    assert!(baggage.set_with_properties("userId", "Jürgen M+\r\n%", "p=1") && baggage.set("b", ""));
    let written = inject(&Outgoing::baggage_only(&baggage));
    assert_eq!(
        written
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect::<Vec<_>>(),
        [
            ("uberctx-b", ""),
            ("uberctx-userid", "J%C3%BCrgen%20M%2B%0D%0A%25")
        ]
    );

    let mut baggage = Baggage::new();
    assert!(baggage.set("Tenant", "first") && baggage.set("tenant", "second"));
    let written = inject(&Outgoing::baggage_only(&baggage));
    assert_eq!(
        written,
        BTreeMap::from([("uberctx-tenant".to_owned(), "first".to_owned())])
    );
}

#[test]
fn a_second_injection_leaves_nothing_of_the_first() {
    let mut baggage = Baggage::new();
    baggage.set("a", "1");
    baggage.set("b", "2");
    let full = context(1, 2, TraceFlags::SAMPLED).with_baggage(baggage.clone());
    let propagation = Propagation::none().write(Jaeger);

    let mut map = HeaderMap::new();
    map.insert("accept", HeaderValue::from_static("*/*"));
    map.append(
        HeaderName::from_static("uberctx-a"),
        HeaderValue::from_static("old"),
    );
    map.append(
        HeaderName::from_static("uberctx-a"),
        HeaderValue::from_static("older"),
    );
    propagation.inject(&Outgoing::new(&full), &mut map);
    assert_eq!(map.len(), 4);

    let mut text = BTreeMap::from([("Uberctx-C".to_owned(), "3".to_owned())]);
    propagation.inject(&Outgoing::new(&full), &mut text);
    assert_eq!(text.len(), 3);

    let mut pairs = vec![("UBER-TRACE-ID".to_owned(), "old".to_owned())];
    propagation.inject(&Outgoing::new(&full), &mut pairs);
    assert_eq!(pairs.len(), 3);
    Carrier::append(&mut pairs, "uberctx-a", "beside");

    baggage.remove("a");
    propagation.inject(&Outgoing::baggage_only(&baggage), &mut map);
    propagation.inject(&Outgoing::baggage_only(&baggage), &mut text);
    propagation.inject(&Outgoing::baggage_only(&baggage), &mut pairs);
    assert_eq!((map.len(), map.contains_key("uberctx-b")), (2, true));
    assert_eq!((text.len(), text.contains_key("uberctx-b")), (1, true));
    assert_eq!(pairs, [("uberctx-b".to_owned(), "2".to_owned())]);
}
