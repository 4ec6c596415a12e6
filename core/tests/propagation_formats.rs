//! What the formats do together, and what lists and carriers do besides: all that is not one format's grammar, which
//! the contract has as tables.

use std::collections::{BTreeMap, HashMap};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{
    B3, Extraction, IncomingHeaders, Jaeger, Outgoing, Propagation, W3c,
};
use opentracing_http::{
    Baggage, Carrier, HeaderView, KnownHeader, SpanContext, SpanId, TraceFlags, TraceId, TraceState,
};

const TRACEPARENT: (&str, &str) = (
    "traceparent",
    "00-12345678901234567890123456789012-1234567890123456-01",
);
const UBER_TRACE_ID: (&str, &str) = ("uber-trace-id", "abc:12:0:0");
const B3_SINGLE: (&str, &str) = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d");

fn refusals(propagation: &Propagation) -> Vec<(&'static str, u64)> {
    propagation.refusals().collect()
}

fn trace_id(found: &Extraction) -> Option<u128> {
    Some(found.context()?.trace_id().get())
}

fn items(found: &Extraction) -> Vec<(&str, &str)> {
    found.baggage().iter().collect()
}

#[test]
fn the_first_format_with_ids_wins() {
    let propagation = Propagation::default();
    let all = [B3_SINGLE, UBER_TRACE_ID, TRACEPARENT];
    let w3c = 0x1234_5678_9012_3456_7890_1234_5678_9012;
    assert_eq!(trace_id(&propagation.extract(&all)), Some(w3c));
    assert_eq!(trace_id(&propagation.extract(&&all[..2])), Some(0xabc));
    let b3 = 0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7;
    assert_eq!(trace_id(&propagation.extract(&&all[..1])), Some(b3));
    assert_eq!(
        refusals(&propagation),
        [("w3c", 0), ("jaeger", 0), ("b3", 0)]
    );

    let reversed = Propagation::none().read(B3::multi()).read(Jaeger).read(W3c);
    assert_eq!(trace_id(&reversed.extract(&all)), Some(b3));
}

#[test]
fn ids_that_are_not_needed_any_more_are_not_read() {
    let bad = |name| (name, "bad");
    let propagation = Propagation::default();
    let found = propagation.extract(&[TRACEPARENT, bad("uber-trace-id"), bad("b3")]);
    assert!(found.has_context());
    assert_eq!(
        refusals(&propagation),
        [("w3c", 0), ("jaeger", 0), ("b3", 0)]
    );

    let reversed = Propagation::none().read(B3::single()).read(W3c);
    let found = reversed.extract(&[B3_SINGLE, bad("traceparent")]);
    assert!(found.has_context());
    assert_eq!(refusals(&reversed), [("b3", 0), ("w3c", 0)]);
}

#[test]
fn a_format_that_refuses_leaves_the_next_one_to_be_read() {
    let propagation = Propagation::default();
    let found = propagation.extract(&[("traceparent", "bad"), UBER_TRACE_ID]);
    assert_eq!(trace_id(&found), Some(0xabc));
    assert_eq!(
        refusals(&propagation),
        [("w3c", 1), ("jaeger", 0), ("b3", 0)]
    );
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
fn both_forms_of_b3_can_be_written() {
    let ids = (TraceId::new(1 << 64).unwrap(), SpanId::new(1).unwrap());
    let mut carrier = HeaderMap::new();
    let propagation = Propagation::none().write(B3::single()).write(B3::multi());
    for (flags, names) in [
        (
            TraceFlags::SAMPLED,
            &["b3", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"][..],
        ),
        (
            TraceFlags::DEBUG,
            &["b3", "x-b3-flags", "x-b3-spanid", "x-b3-traceid"],
        ),
        (TraceFlags::DEFERRED, &["b3", "x-b3-spanid", "x-b3-traceid"]),
    ] {
        let context = SpanContext::new(ids.0, ids.1, flags);
        propagation.inject(&Outgoing::new(&context), &mut carrier);
        let mut found: Vec<_> = carrier.keys().map(|name| name.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, names);
    }
    propagation.inject(&Outgoing::baggage_only(&Baggage::new()), &mut carrier);
    assert!(carrier.is_empty());
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
    assert!(TraceState::parse([&b"a=1"[..], b"b"]).is_none());
}

#[test]
fn carriers_can_have_a_header_beside_another() {
    let mut map = HeaderMap::new();
    map.set("a", "1");
    Carrier::append(&mut map, "a", "2");
    assert_eq!(map.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
    let mut pairs = Vec::new();
    pairs.set("a", "1");
    Carrier::append(&mut pairs, "a", "2");
    assert_eq!(pairs.len(), 2);

    // Where a name stands only once it is set.
    let (mut sorted, mut hashed) = (BTreeMap::new(), HashMap::<String, String>::new());
    let mut told = Vec::new();
    for value in ["1", "2"] {
        Carrier::append(&mut sorted, "a", value);
        Carrier::append(&mut hashed, "a", value);
        Carrier::append(
            &mut |_: &str, value: &str| told.push(value.to_owned()),
            "a",
            value,
        );
    }
    assert_eq!((sorted["a"].as_str(), hashed["a"].as_str()), ("2", "2"));
    assert_eq!(told, ["1", "2"]);
}

#[test]
fn every_way_to_look_at_headers_answers_alike() {
    let pairs = [
        ("Accept", "*/*"),
        ("b3", "0"),
        ("Baggage", "a=1"),
        ("baggage", "b=2"),
        ("uberctx-a", "1"),
        ("uberctx", "no"),
        ("x-b3-flag", "no"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_static(value),
        );
    }
    let slice = &pairs[..];
    let listed = pairs.to_vec();
    let views: [&dyn HeaderView; 5] = [&map, &pairs, &slice, &listed, &&map];
    for view in views {
        let values = |name: &str| {
            let (mut by_text, mut prepared) = (Vec::new(), Vec::new());
            view.header_values(name, &mut |value| by_text.push(value));
            let header = HeaderName::from_bytes(name.as_bytes()).unwrap();
            view.named_header_values(&header, &mut |value| prepared.push(value));
            assert_eq!(by_text, prepared);
            assert_eq!(view.header(name), by_text.first().copied());
            by_text
        };
        assert_eq!(values("BAGGAGE"), [b"a=1", b"b=2"]);
        assert_eq!(values("accept"), [b"*/*"]);
        assert!(values("absent").is_empty());

        let mut known = Vec::new();
        view.each_known_header(&mut |header, value| known.push((header, value)));
        known.sort_by_key(|(header, _)| header.index());
        let expected: [(KnownHeader, &[u8]); 4] = [
            (KnownHeader::Baggage, b"a=1"),
            (KnownHeader::Baggage, b"b=2"),
            (KnownHeader::B3, b"0"),
            (KnownHeader::UberCtx, b"1"),
        ];
        assert_eq!(known, expected);
        let incoming = IncomingHeaders::read(view);
        assert_eq!(incoming.single(KnownHeader::B3), Ok(Some(&b"0"[..])));
        let twice = incoming.single(KnownHeader::Baggage).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "the header stands in the request more than once"
        );
        assert_eq!(incoming.single(KnownHeader::Traceparent), Ok(None));
        assert_eq!(incoming.first(KnownHeader::Baggage), Some(&b"a=1"[..]));
        assert!(incoming.contains(KnownHeader::UberCtx) && incoming.contains(KnownHeader::B3));
        assert!(!incoming.contains(KnownHeader::Traceparent));
        assert_eq!(incoming.single_named("Accept"), Ok(Some(&b"*/*"[..])));
        assert!(incoming.single_named("baggage").is_err());
        assert_eq!(incoming.single_named("absent"), Ok(None));
    }
}
