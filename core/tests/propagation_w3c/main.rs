//! W3C Trace Context level 2 and W3C Baggage: the cases of W3C's own test suite, and more.

mod baggage;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{Extraction, Outgoing, Propagation, W3c};
use opentracing_http::{Baggage, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

/// Reads the headers as text and as `http`'s map, which must agree, and counts the refusals.
fn extract<V: AsRef<[u8]>>(headers: &[(&str, V)]) -> (Extraction, u64) {
    let propagation = Propagation::none().read(W3c);
    let found = propagation.extract(
        &headers
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect::<Vec<_>>(),
    );
    let refusals = propagation.refusals().map(|(_, count)| count).sum();

    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            name.parse::<HeaderName>(),
            HeaderValue::from_bytes(value.as_ref()),
        ) {
            map.append(name, value);
        }
    }
    if map.len() == headers.len() {
        assert_eq!(propagation.extract(&map).context(), found.context());
    }
    (found, refusals)
}

fn traceparent(value: impl AsRef<[u8]>) -> (Option<SpanContext>, u64) {
    let (found, refusals) = extract(&[("traceparent", value)]);
    (found.context(), refusals)
}

/// The tracestate that goes with a valid traceparent.
fn tracestate(headers: &[&str]) -> (String, u64) {
    let mut all = vec![("traceparent", VALID)];
    all.extend(headers.iter().map(|value| ("tracestate", *value)));
    let (found, refusals) = extract(&all);
    let context = found
        .context()
        .expect("a bad tracestate does not harm the traceparent");
    (context.tracestate().as_str().to_owned(), refusals)
}

fn baggage<V: AsRef<[u8]>>(headers: &[V]) -> (Vec<(String, String, String)>, u64) {
    let headers: Vec<_> = headers.iter().map(|value| ("baggage", value)).collect();
    let (found, refusals) = extract(&headers);
    let items = found.baggage().iter_with_properties();
    (
        items
            .map(|(key, value, more)| (key.to_owned(), value.to_owned(), more.to_owned()))
            .collect(),
        refusals,
    )
}

fn inject(outgoing: &Outgoing<'_>) -> BTreeMap<String, String> {
    let mut carrier = BTreeMap::new();
    Propagation::none()
        .write(W3c)
        .inject(outgoing, &mut carrier);
    carrier
}

fn context() -> SpanContext {
    let ids = (
        TraceId::new(0xabc).expect("not zero"),
        SpanId::new(0x12).expect("not zero"),
    );
    SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED)
}

#[test]
fn valid_traceparents() {
    for (value, flags) in [
        (VALID, 1),
        ("00-12345678901234567890123456789012-1234567890123456-00", 0),
        ("00-12345678901234567890123456789012-1234567890123456-02", 2),
        ("00-12345678901234567890123456789012-1234567890123456-03", 3),
        // Bits that level 2 does not define are ignored and not passed on.
        ("00-12345678901234567890123456789012-1234567890123456-ff", 3),
        ("00-12345678901234567890123456789012-1234567890123456-fc", 0),
        (
            " 00-12345678901234567890123456789012-1234567890123456-01",
            1,
        ),
        (
            "\t00-12345678901234567890123456789012-1234567890123456-01",
            1,
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-01 ",
            1,
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-01\t",
            1,
        ),
        (
            "\t 00-12345678901234567890123456789012-1234567890123456-01 \t",
            1,
        ),
        ("01-12345678901234567890123456789012-1234567890123456-01", 1),
        ("cc-12345678901234567890123456789012-1234567890123456-01", 1),
        (
            "cc-12345678901234567890123456789012-1234567890123456-01-",
            1,
        ),
        (
            "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
            1,
        ),
        (
            "fe-12345678901234567890123456789012-1234567890123456-01-\u{e4}",
            1,
        ),
    ] {
        let (context, refusals) = traceparent(value);
        let context = context.unwrap_or_else(|| panic!("{value:?} is valid"));
        assert_eq!(
            context.trace_id().to_string(),
            "12345678901234567890123456789012",
            "{value:?}"
        );
        assert_eq!(
            context.span_id().to_string(),
            "1234567890123456",
            "{value:?}"
        );
        assert_eq!(
            context.flags(),
            TraceFlags::from_w3c_bits(flags),
            "{value:?}"
        );
        assert_eq!(refusals, 0, "{value:?}");
    }
}

#[test]
fn refused_traceparents() {
    let refused: &[&[u8]] = &[
        b"",
        b" ",
        b"00",
        b"00-",
        b"---",
        // version_0x00
        b"00-12345678901234567890123456789012-1234567890123456-01.",
        b"00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
        b"00-12345678901234567890123456789012-1234567890123456-01-",
        // version_0xcc, version_0xff
        b"cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like",
        b"cc-12345678901234567890123456789012-1234567890123456-012",
        b"ff-12345678901234567890123456789012-1234567890123456-01",
        b"ff-12345678901234567890123456789012-1234567890123456-01-more",
        // version_illegal_characters, _too_long, _too_short
        b".0-12345678901234567890123456789012-1234567890123456-01",
        b"0.-12345678901234567890123456789012-1234567890123456-01",
        b"CC-12345678901234567890123456789012-1234567890123456-01",
        b"+0-12345678901234567890123456789012-1234567890123456-01",
        b"000-12345678901234567890123456789012-1234567890123456-01",
        b"0000-12345678901234567890123456789012-1234567890123456-01",
        b"0-12345678901234567890123456789012-1234567890123456-01",
        // trace_id_all_zero, _illegal_characters, _too_long, _too_short
        b"00-00000000000000000000000000000000-1234567890123456-01",
        b"cc-00000000000000000000000000000000-1234567890123456-01",
        b"00-.2345678901234567890123456789012-1234567890123456-01",
        b"00-1234567890123456789012345678901.-1234567890123456-01",
        b"00-ABCDEF78901234567890123456789012-1234567890123456-01",
        b"00-+2345678901234567890123456789012-1234567890123456-01",
        b"00-0x345678901234567890123456789012-1234567890123456-01",
        b"00- 2345678901234567890123456789012-1234567890123456-01",
        b"00-123456789012345678901234567890123-1234567890123456-01",
        b"00-1234567890123456789012345678901-1234567890123456-01",
        b"00-1-1234567890123456-01",
        // parent_id_all_zero, _illegal_characters, _too_long, _too_short
        b"00-12345678901234567890123456789012-0000000000000000-01",
        b"00-12345678901234567890123456789012-.234567890123456-01",
        b"00-12345678901234567890123456789012-123456789012345.-01",
        b"00-12345678901234567890123456789012-+234567890123456-01",
        b"00-12345678901234567890123456789012-12345678901234AF-01",
        b"00-12345678901234567890123456789012-12345678901234567-01",
        b"00-12345678901234567890123456789012-123456789012345-01",
        // trace_flags_illegal_characters, _too_long, _too_short
        b"00-12345678901234567890123456789012-1234567890123456-.0",
        b"00-12345678901234567890123456789012-1234567890123456-0.",
        b"00-12345678901234567890123456789012-1234567890123456-+1",
        b"00-12345678901234567890123456789012-1234567890123456-0F",
        b"00-12345678901234567890123456789012-1234567890123456-001",
        b"00-12345678901234567890123456789012-1234567890123456-1",
        b"00-12345678901234567890123456789012-1234567890123456-",
        b"00-12345678901234567890123456789012-1234567890123456",
        // Separators, line ends, lists, bytes that are not text.
        b"00_12345678901234567890123456789012-1234567890123456-01",
        b"00-12345678901234567890123456789012_1234567890123456-01",
        b"00-12345678901234567890123456789012-1234567890123456_01",
        b"00-12345678901234567890123456789012-1234567890123456-01\n",
        b"00-12345678901234567890123456789012-1234567890123456-01\0",
        b"00-12345678901234567890123456789012-1234567890123456-01,00-12345678901234567890123456789012-1234567890123456-01",
        b"00-1234567890123456789012345678901\xff-1234567890123456-01",
        b"\xff\xfe",
        &[b'0'; 100_000],
        &[b' '; 100_000],
    ];
    for value in refused {
        let (context, refusals) = traceparent(value);
        assert_eq!(context, None, "{}", value.escape_ascii());
        assert_eq!(refusals, 1, "{}", value.escape_ascii());
    }
}

#[test]
fn two_traceparents_are_none() {
    for second in [
        VALID,
        "00-12345678901234567890123456789011-1234567890123456-01",
        "",
    ] {
        let (found, refusals) = extract(&[("traceparent", VALID), ("traceparent", second)]);
        assert_eq!((found.context(), refusals), (None, 1), "{second:?}");
    }
}

#[test]
fn header_names_are_compared_without_case() {
    for (name, known) in [
        ("TraceParent", true),
        ("TrAcEpArEnT", true),
        ("TRACEPARENT", true),
        ("trace-parent", false),
        ("trace.parent", false),
    ] {
        let (found, refusals) = extract(&[(name, VALID)]);
        assert_eq!((found.has_context(), refusals), (known, 0), "{name}");
    }
    for (name, expected) in [
        ("TraceState", "foo=1"),
        ("TRACESTATE", "foo=1"),
        ("trace-state", ""),
        ("trace.state", ""),
    ] {
        let (found, _) = extract(&[("traceparent", VALID), (name, "foo=1")]);
        assert_eq!(
            found.context().unwrap().tracestate().as_str(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn tracestate_counts_only_with_a_valid_traceparent() {
    let (found, refusals) = extract(&[("tracestate", "foo=1")]);
    assert_eq!((found.context(), refusals), (None, 0));
    let (found, refusals) = extract(&[("traceparent", "00-1-2-3"), ("tracestate", "foo=1")]);
    assert_eq!((found.context(), refusals), (None, 1));
}

#[test]
fn valid_tracestates() {
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
    let all_allowed = format!("{key}={value}");
    let all_allowed_with_vendor = format!("{key}@a-z0-9_-*/={value}");
    let members = |range: std::ops::RangeInclusive<u8>| {
        range
            .map(|n| format!("bar{n:02}={n:02}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let (tens, rest) = (members(1..=10), members(11..=32));
    let long_key = format!("{}=1", "z".repeat(256));
    let long_vendor = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let long_value = format!("k={}", "v".repeat(256));
    let cases: &[(&[&str], &str)] = &[
        (&["foo=1,bar=2"], "foo=1,bar=2"),
        (&[""], ""),
        (&["", ""], ""),
        (&[" ,\t,, "], ""),
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        (&["foo=1,,bar=2,"], "foo=1,bar=2"),
        (
            &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
            "foo=1,bar=2,rojo=1,congo=2,baz=3",
        ),
        // Of one key's members the first stays.
        (&["foo=1,foo=1"], "foo=1"),
        (&["foo=1,foo=2"], "foo=1"),
        (&["foo=1", "foo=2,bar=3"], "foo=1,bar=3"),
        (&[&all_allowed], &all_allowed),
        (&[&all_allowed_with_vendor], &all_allowed_with_vendor),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&[" foo=1"], "foo=1"),
        (&["\tfoo=1"], "foo=1"),
        (&["foo=1 "], "foo=1"),
        (&["foo=1\t"], "foo=1"),
        (&["\t foo=1 \t"], "foo=1"),
        (&["foo= 1"], "foo= 1"),
        (&["0=1", "9-x@y@z=2"], "0=1,9-x@y@z=2"),
        (&[&tens, &rest], &format!("{tens},{rest}")),
        (&["foo=1", &long_key], &format!("foo=1,{long_key}")),
        (&["foo=1", &long_vendor], &format!("foo=1,{long_vendor}")),
        (&[&long_value], &long_value),
    ];
    for (headers, expected) in cases {
        assert_eq!(
            tracestate(headers),
            ((*expected).to_owned(), 0),
            "{headers:?}"
        );
    }
}

#[test]
fn a_refused_tracestate_is_dropped_as_a_whole() {
    let members: Vec<_> = (1..=33).map(|n| format!("bar{n:02}={n:02}")).collect();
    let (tens, rest) = (members[..10].join(","), members[10..].join(","));
    let too_long_key = format!("{}=1", "z".repeat(257));
    let too_long_value = format!("k={}", "v".repeat(257));
    let repeated = vec!["foo=1"; 33];
    let cases: &[&[&str]] = &[
        &["foo =1"],
        &["FOO=1"],
        &["foo.bar=1"],
        &["@foo=1,bar=2"],
        &["_foo=1"],
        &["foo", "bar=1"],
        &["foo=1", "bar"],
        &["foo=1", &too_long_key],
        &["foo=1", &too_long_value],
        &["foo=bar=baz"],
        &["a==1"],
        &["=1"],
        &["="],
        &["foo=,bar=3"],
        &["foo=1;bar=2", "k\u{e4}=1"],
        &["foo=\u{e4}"],
        &["foo=a\tb"],
        &["foo=\u{7f}"],
        &[&tens, &rest],
        &repeated,
    ];
    for headers in cases {
        assert_eq!(tracestate(headers), (String::new(), 1), "{headers:?}");
    }
    let (found, refusals) = extract(&[
        ("traceparent", VALID.as_bytes()),
        ("tracestate", b"foo=\xff"),
    ]);
    assert!(found.context().unwrap().tracestate().is_empty());
    assert_eq!(refusals, 1);
}

#[test]
fn tracestate_changes_come_first() {
    let mut list = TraceState::parse([&b"a=1,b=2"[..]]).unwrap();
    assert!(list.insert("b", "3") && list.insert("c", "4"));
    assert_eq!(list.as_str(), "c=4,b=3,a=1");
    assert!(
        !list.insert("C", "4")
            && !list.insert("c", "4,d=5")
            && !list.insert("c", "")
            && !list.insert("", "4")
    );
    assert_eq!(
        (list.as_str(), list.get("b"), list.get("d")),
        ("c=4,b=3,a=1", Some("3"), None)
    );
    for n in 0..40 {
        assert!(list.insert(&format!("k{n}"), "v"));
    }
    let members: Vec<_> = list.as_str().split(',').collect();
    assert_eq!(
        (members.len(), members[0]),
        (TraceState::MAX_MEMBERS, "k39=v")
    );
}

/// Key, value and properties.
type Item = (&'static str, &'static str, &'static str);

#[test]
fn writes_the_context() {
    let none = BTreeMap::new;
    let headers = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    for (flags, expected) in [
        (TraceFlags::NOT_SAMPLED, "00"),
        (TraceFlags::SAMPLED, "01"),
        (TraceFlags::NOT_SAMPLED.with_random(true), "02"),
        (TraceFlags::SAMPLED.with_random(true), "03"),
        (TraceFlags::DEBUG, "01"),
        (TraceFlags::DEFERRED, "00"),
    ] {
        let traceparent =
            format!("00-00000000000000000000000000000abc-0000000000000012-{expected}");
        assert_eq!(
            inject(&Outgoing::new(&context().with_flags(flags))),
            headers(&[("traceparent", &traceparent)]),
        );
    }
    assert_eq!(inject(&Outgoing::baggage_only(&Baggage::new())), none());

    let mut baggage = Baggage::new();
    assert!(
        baggage.set("tenant", "a b,c;d\"e\\f%€\r\n=+")
            && baggage.set_with_properties("b", "", "p=1;q")
    );
    let tracestate = TraceState::parse([&b"a=1"[..], b"b=2"]).unwrap();
    let context = context()
        .with_tracestate(tracestate)
        .with_baggage(baggage.clone());
    let written = "tenant=a%20b%2Cc%3Bd%22e%5Cf%25%E2%82%AC%0D%0A=+,b=;p=1;q";
    assert_eq!(
        inject(&Outgoing::new(&context)),
        headers(&[
            (
                "traceparent",
                "00-00000000000000000000000000000abc-0000000000000012-01"
            ),
            ("tracestate", "a=1,b=2"),
            ("baggage", written),
        ]),
    );
    assert_eq!(
        inject(&Outgoing::baggage_only(&baggage)),
        headers(&[("baggage", written)])
    );
}

#[test]
fn a_second_injection_leaves_nothing_of_the_first() {
    let mut baggage = Baggage::new();
    baggage.set("a", "1");
    let full = context()
        .with_tracestate(TraceState::parse([&b"a=1"[..]]).unwrap())
        .with_baggage(baggage.clone());
    let propagation = Propagation::none().write(W3c);
    let mut carrier = HeaderMap::new();
    carrier.insert("accept", HeaderValue::from_static("*/*"));
    propagation.inject(&Outgoing::new(&full), &mut carrier);
    propagation.inject(&Outgoing::new(&full), &mut carrier);
    assert_eq!(carrier.len(), 4);
    propagation.inject(&Outgoing::new(&context()), &mut carrier);
    assert_eq!(carrier.len(), 2);
    propagation.inject(&Outgoing::baggage_only(&baggage), &mut carrier);
    assert_eq!((carrier.len(), carrier.contains_key("baggage")), (2, true));
    propagation.inject(&Outgoing::baggage_only(&Baggage::new()), &mut carrier);
    assert_eq!((carrier.len(), carrier.contains_key("accept")), (1, true));
}
