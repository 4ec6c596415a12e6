//! What becomes of a carrier.

use std::collections::HashSet;

use http::HeaderName;
use opentracing_http::propagation::KnownHeader;
use opentracing_http::{Baggage, TraceFlags};

use super::super::format::Format;
use super::super::headers::{Kind, sorted};
use super::super::table::{Found, Sent, context, items};

/// A context becomes exactly the headers that the grammar says, whatever kind of carrier has them.
pub fn writes_its_table(format: &Format) {
    for row in format.written() {
        for kind in Kind::ALL {
            let headers = kind.inject(format, &row.there, &[&row.sent]);
            assert_eq!(
                headers,
                sorted(row.headers.clone()),
                "a {kind:?} has after the injection (left) what the table says (right): {row}"
            );
        }
    }
}

/// Whatever kind of carrier it is, it gets the same headers.
pub fn every_carrier_gets_the_same(format: &Format) {
    for sent in format.all_sent() {
        let headers = sorted(format.headers_of(&sent));
        for kind in Kind::ALL {
            assert_eq!(
                kind.inject(format, &[], &[&sent]),
                headers,
                "a {kind:?} gets (left) what every other carrier gets (right); {sent}"
            );
        }
    }
}

/// Names are HTTP's tokens in lower case, each once; values are visible ASCII and inner blanks, whatever the baggage has.
pub fn what_is_written_fits_every_header_map(format: &Format) {
    let mut hostile = Baggage::new();
    let chars: Vec<char> = ('\0'..='\u{a1}')
        .chain(['\u{20ac}', '\u{feff}', '\u{10ffff}'])
        .collect();
    for (n, chars) in chars.chunks(4).enumerate() {
        let text = String::from_iter(chars);
        assert!(hostile.set(&format!("K{n}"), &format!("{text}\r\nb3: 0\r\n{text}")));
    }
    assert!(hostile.set("k1", " a key that differs in case alone "));
    let hostile = context(1, 2, TraceFlags::SAMPLED).with_baggage(hostile);
    for sent in format.all_sent().into_iter().chain([hostile.into()]) {
        let headers = format.headers_of(&sent);
        let mut names = HashSet::new();
        for (name, value) in &headers {
            let parsed = HeaderName::from_bytes(name.as_bytes());
            assert!(
                parsed.is_ok_and(|parsed| parsed.as_str() == name),
                "a header's name is a token of HTTP in lower case, not {name:?}"
            );
            assert!(names.insert(name), "{name} twice");
            let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
            assert!(
                value.bytes().all(visible) && value.trim() == value,
                "{name}: a value is visible ASCII without blanks round it, not {value:?}"
            );
        }
    }
}

/// Baggage that has become too long is left out, whole items at a time, and what fits beside it stays.
pub fn baggage_that_is_written_is_bounded(format: &Format) {
    let mut grows = Baggage::new();
    assert!(
        grows.set("a", "1") && grows.set("grows", &"\u{20ac}".repeat(1_000)) && grows.set("b", "2")
    );
    let mut full = Baggage::new();
    for n in 0..Baggage::MAX_ITEMS {
        assert!(full.set(&format!("k{n:02}"), &"v".repeat(125)));
    }
    let mut longest = Baggage::new();
    assert!(longest.set("k", &"v".repeat(Baggage::MAX_BYTES - 1)));
    for baggage in [grows, full, longest] {
        let headers = format.headers_of(&Sent::from(baggage.clone()));
        let bytes: usize = headers.iter().map(|(_, value)| value.len()).sum();
        assert!(
            bytes <= Baggage::MAX_BYTES,
            "{bytes} bytes were written, and {} may be",
            Baggage::MAX_BYTES
        );
        let back = format.read(&headers);
        let sent = items(&baggage);
        assert!(
            back.baggage.iter().all(|item| sent.contains(item)) && !back.refused,
            "only whole items are left out, and what is written can be read: {back:?}"
        );
        if format.carries.baggage && baggage.len() == 3 {
            let keys: Vec<_> = back.baggage.iter().map(|(key, ..)| key.as_str()).collect();
            assert_eq!(keys, ["a", "b"], "what fits beside a long item stays");
        }
    }
}

/// What an earlier injection left, or somebody else under the same names, is gone.
pub fn inject_overwrites_what_was_there(format: &Format) {
    let names = format.written_names();
    let stale: Vec<_> = (names.iter())
        .flat_map(|name| {
            [
                (name.to_ascii_uppercase(), "stale".to_owned()),
                (name.clone(), "older".to_owned()),
            ]
        })
        .collect();
    let all = format.all_sent();
    for (n, second) in all.iter().enumerate() {
        let expected = sorted(format.headers_of(second));
        for kind in Kind::ALL {
            assert_eq!(
                kind.inject(format, &stale, &[second]),
                expected,
                "nothing is left of what stood in the {kind:?} under the format's names (left, and right what it must \
                 have); {second}"
            );
        }
        // Every second one after every first one takes too long with every kind of carrier.
        for (m, first) in all.iter().enumerate() {
            let kind = Kind::ALL[(n + m) % Kind::ALL.len()];
            let headers = kind.inject(format, &[], &[first, second]);
            assert_eq!(
                headers, expected,
                "nothing is left of the first injection into the {kind:?} (left, and right what it must have); first \
                 {first}\nthen {second}"
            );
        }
    }
}

/// A proxy copies what came in and injects then: nothing of what the format could read is left, whether the format is
/// written or only read.
pub fn inject_removes_what_a_proxy_copied(format: &Format) {
    let other = context(0xabc, 0x12, TraceFlags::SAMPLED);
    for row in format.rows() {
        let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
        let copied: Vec<_> = (row.headers.iter())
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let mut read_only = copied.clone();
        format.write_only_read(&other, &mut read_only);
        assert_eq!(
            format.read(&read_only),
            Found::default(),
            "what was copied is gone where the format is only read: {row}"
        );
        for kind in Kind::ALL {
            let sent = Sent::from(other.clone());
            let left = kind.inject(format, &copied, &[&sent]);
            assert_eq!(
                format.read(&left.0),
                format.carries.keeps(&sent),
                "what was copied is gone (left), and what was sent stands there (right), in the {kind:?}: {row}"
            );
        }
    }
}

/// The headers of others stay as they are, also those whose names only look like the format's.
pub fn inject_leaves_the_headers_of_others(format: &Format) {
    let names = format.written_names();
    let mut others: Vec<String> = ["accept", "cookie", "x-request-id"]
        .map(str::to_owned)
        .to_vec();
    others.extend(
        KnownHeader::NAMED
            .iter()
            .map(|known| known.name().to_owned()),
    );
    others.push("uberctx".to_owned());
    others.push("uberctx-other".to_owned());
    for name in &names {
        others.push(format!("x{name}"));
        others.push(format!("{name}x"));
        others.push(format!("{name}-id"));
        others.push(name[1..].to_owned());
    }
    others.retain(|name| !format.owns(name) && !name.is_empty());
    others.sort_unstable();
    others.dedup();
    let there: Vec<_> = others
        .into_iter()
        .map(|name| (name, "theirs".to_owned()))
        .collect();
    for sent in format.all_sent() {
        let expected = sorted([there.clone(), format.headers_of(&sent)].concat());
        for kind in Kind::ALL {
            assert_eq!(
                kind.inject(format, &there, &[&sent]),
                expected,
                "the headers of others stay in the {kind:?} (left, and right what it must have); {sent}"
            );
        }
    }
}

/// Baggage without a context leaves neither ids nor a decision, not even those of an earlier injection.
pub fn inject_without_a_context_writes_no_ids(format: &Format) {
    let mut baggage = Baggage::new();
    assert!(baggage.set("a", "1"));
    let alone = Sent::from(baggage);
    for first in format.all_sent() {
        let headers = Kind::Pairs.inject(format, &[], &[&first, &alone]);
        assert_eq!(
            format.read(&headers.0),
            format.carries.keeps(&alone),
            "baggage alone leaves no ids (left, and right what must be found), not even those {first}"
        );
    }
}

/// Nothing to send is no header at all: no denial, no empty value, nothing that an earlier injection left.
pub fn inject_of_nothing_leaves_nothing(format: &Format) {
    let nothing = Sent::default();
    let written = format.headers_of(&nothing);
    assert!(
        written.is_empty(),
        "nothing to send, and yet this was written: {written:?}"
    );
    for first in format.all_sent() {
        for kind in Kind::ALL {
            let left = kind.inject(format, &[], &[&first, &nothing]);
            assert_eq!(
                left,
                sorted(Vec::new()),
                "injecting nothing leaves nothing in the {kind:?} of what was {first}"
            );
        }
    }
}
