//! What nobody should send.

use std::collections::HashSet;

use opentracing_http::propagation::Extraction;
use opentracing_http::{Baggage, SpanContext, TraceState};

use super::super::format::{Format, Spelling, same_ids};
use super::super::headers::header_map;
use super::super::table::{Found, Lines, Row};

/// The grammars' own characters, digits of either case, no digits, blanks, line ends and bytes that are not text.
const JUNK: &[u8] = b"019adFgz+-:%,=;/ \t\n\0\x7f\xc3\xff";

/// The longest rows that are tried byte by byte; the longer ones are those of the bounds.
const TRIED: usize = 200;

/// Deleting, inserting or replacing any one byte of a valid value gives no context and a refusal, or the same ids, or
/// ids that stand in the headers as the format [spells](Format::spells) them: never a part of one, never a decision
/// without its ids.
pub fn one_wrong_byte_never_gives_half_a_context(format: &Format) {
    for (row, at) in valid_values(format) {
        let value = &row.headers[at].1;
        for place in 0..=value.len() {
            let (before, after) = value.split_at(place);
            for junk in JUNK {
                check(format, row, at, [before, &[*junk], after].concat());
                if let [_, after @ ..] = after {
                    check(format, row, at, [before, &[*junk], after].concat());
                }
            }
            if let [_, after @ ..] = after {
                check(format, row, at, [before, after].concat());
            }
        }
    }
}

/// The same holds of any beginning or end of a valid value; what is left may be a decision of its own (B3's `1`).
pub fn a_value_cut_short_never_gives_half_a_context(format: &Format) {
    for (row, at) in valid_values(format) {
        let value = &row.headers[at].1;
        for place in 0..value.len() {
            let (before, after) = value.split_at(place);
            check_cut(format, row, at, before);
            check_cut(format, row, at, after);
        }
    }
}

/// Bytes that are not text are no ids, wherever they stand and however they come.
pub fn bytes_that_are_not_text_are_harmless(format: &Format) {
    for (row, at) in valid_values(format) {
        let mut without = row.headers.clone();
        let (name, value) = without.remove(at);
        let has_ids = format.read(&without).context.is_none();
        for bytes in [
            &b"\xff"[..],
            b"\xfe\xff",
            b"\xc3",
            b"\x80\x80",
            b"\xed\xa0\x80",
            &[0xff; 55],
        ] {
            let mut headers = without.clone();
            headers.insert(at, (name.clone(), bytes.to_owned()));
            let found = format.read(&headers);
            if let Some(map) = header_map(&headers) {
                assert_eq!(
                    format.read(&map),
                    found,
                    "http's map (left) gives what pairs give (right):{}",
                    Lines(&headers)
                );
            }
            if has_ids {
                assert_eq!(
                    (found.context, found.refused),
                    (None, true),
                    "bytes that are not text are no ids, and are refused:{}",
                    Lines(&headers)
                );
            }
            for value in [[bytes, &value].concat(), [&value, bytes].concat()] {
                check(format, row, at, value);
            }
        }
    }
    for row in format.rows() {
        for at in 0..row.headers.len() {
            let mut headers = row.headers.clone();
            headers[at].1 = (0..=255).collect();
            assert_bounded(&format.read(&headers));
        }
    }
}

/// However much comes, what is kept of it stays within the bounds.
pub fn oversized_input_is_bounded(format: &Format) {
    let mut names: Vec<&str> = (format.rows().iter())
        .flat_map(|row| row.headers.iter().map(|(name, _)| name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        for pattern in [
            "a", "1", " ", ",", "-", ":", "%", "=", ";", "a=1,", "\u{20ac}",
        ] {
            let headers = vec![(name.to_owned(), pattern.repeat(20_000).into_bytes())];
            let found = format.read(&headers);
            assert_bounded(&found);
            assert_eq!(
                found.context, None,
                "there are no ids in {name}: {pattern} and so on"
            );
        }
        let many = |n: usize| {
            let item = format!("k{n}={}", "v".repeat(300));
            (name.to_owned(), item.into_bytes())
        };
        assert_bounded(&format.read(&(0..1_000).map(many).collect::<Vec<_>>()));
        let family = |n: usize| (format!("{name}{n}"), b"v".repeat(300));
        assert_bounded(&format.read(&(0..1_000).map(family).collect::<Vec<_>>()));
    }
    for row in format.rows() {
        if row.headers.iter().all(|(_, value)| value.len() < 1_000) {
            let thousand = vec![row.headers.clone(); 1_000].concat();
            assert_bounded(&format.read(&thousand));
        }
    }
}

/// The rows with a context and the places of their headers, each different value once.
fn valid_values(format: &Format) -> impl Iterator<Item = (&Row, usize)> {
    let mut seen = HashSet::new();
    let short = |row: &Row| {
        row.headers
            .iter()
            .map(|(_, value)| value.len())
            .sum::<usize>()
            <= TRIED
    };
    let valid = |row: &&Row| row.found.context.is_some() && !row.found.refused;
    let rows = format
        .rows()
        .iter()
        .filter(valid)
        .filter(move |row| short(row));
    rows.flat_map(|row| (0..row.headers.len()).map(move |at| (row, at)))
        .filter(move |(row, at)| seen.insert(&row.headers[*at]))
}

fn check(format: &Format, row: &Row, at: usize, value: Vec<u8>) {
    let headers = with(row, at, value);
    let found = read_changed(format, row, &headers);
    assert_eq!(
        found.decision,
        None,
        "a value with a wrong byte left a decision without its ids:{}\nand without that byte: {row}",
        Lines(&headers)
    );
}

fn check_cut(format: &Format, row: &Row, at: usize, value: &[u8]) {
    let headers = with(row, at, value.to_owned());
    let found = read_changed(format, row, &headers);
    let alone = found.context.is_none() && !found.refused;
    assert!(
        alone == found.decision.is_some(),
        "a value cut short left a decision beside ids or a refusal: {found:?} of{}\nand whole: {row}",
        Lines(&headers)
    );
}

/// The row's headers with one value replaced.
fn with(row: &Row, at: usize, value: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut headers = row.headers.clone();
    headers[at].1 = value;
    headers
}

/// What is found in headers that are not quite the row's, once it is known to be no half a context.
fn read_changed(format: &Format, row: &Row, headers: &[(String, Vec<u8>)]) -> Found {
    let Some(valid) = &row.found.context else {
        return Found::default();
    };
    let found = format.read(&headers);
    assert_bounded(&found);
    match &found.context {
        Some(context) => assert!(
            same_ids(context, valid) || stand_in(format.spelling, context, headers, &row.headers),
            "these ids stand nowhere in the headers, and nothing was refused: trace {}, span {} \
             of{}\nand unchanged: {row}\n(a format whose ids stand there in several pieces says so by `Format::spells`)",
            context.trace_id(),
            context.span_id(),
            Lines(headers)
        ),
        None => assert!(
            found.refused || found.decision.is_some(),
            "the ids are gone, and nothing was refused: {found:?} of{}\nand unchanged: {row}",
            Lines(headers)
        ),
    }
    found
}

/// Whether both ids stand in the headers, as they are spelled or as whole numbers, hexadecimal or decimal; between
/// separators that a valid row of the format has, too.
fn stand_in(
    spelling: Option<Spelling>,
    context: &SpanContext,
    headers: &[(String, Vec<u8>)],
    valid: &[(String, Vec<u8>)],
) -> bool {
    let texts = |headers: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
        let values = headers.iter().map(|(_, value)| value.clone());
        let decoded = headers.iter().map(|(_, value)| with_plain_colons(value));
        values.chain(decoded).collect()
    };
    let separators: HashSet<u8> = (texts(valid).into_iter().flatten())
        .filter(|byte| !byte.is_ascii_alphanumeric())
        .chain(*b" \t")
        .collect();
    if let Some(spelling) = spelling {
        let texts = texts(headers);
        let stands = |piece: &String| {
            let mut texts = texts.iter();
            texts.any(|text| stands_whole(piece.as_bytes(), text, &separators))
        };
        return spelling(context).iter().all(stands);
    }
    let numbers: HashSet<u128> = (texts(headers).iter())
        .flat_map(|text| text.split(|byte| separators.contains(byte)))
        .flat_map(numbers)
        .collect();
    let (trace_id, span_id) = (context.trace_id().get(), context.span_id().get());
    numbers.contains(&trace_id) && numbers.contains(&span_id.into())
}

/// Whether the piece stands in the text, in either case, with nothing but the text's ends and separators beside it.
fn stands_whole(piece: &[u8], text: &[u8], separators: &HashSet<u8>) -> bool {
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| separators.contains(byte));
    (0..text.len()).any(|start| {
        let (before, rest) = text.split_at(start);
        let found = rest.split_at_checked(piece.len());
        found.is_some_and(|(found, after)| {
            found.eq_ignore_ascii_case(piece) && ends(before.last()) && ends(after.first())
        })
    })
}

/// Some clients percent-encode separators.
fn with_plain_colons(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    text.replace("%3A", ":").replace("%3a", ":").into_bytes()
}

fn numbers(token: &[u8]) -> impl Iterator<Item = u128> {
    let digits = std::str::from_utf8(token).unwrap_or_default();
    // A sign is none of an id's characters, whatever the standard library says.
    let unsigned = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let read = move |radix| {
        let number = u128::from_str_radix(digits, radix).ok();
        number.filter(|_| unsigned)
    };
    [read(16), read(10)].into_iter().flatten()
}

fn assert_bounded(found: &Found) {
    let bytes: usize = (found.baggage.iter())
        .map(|(key, value, properties)| key.len() + value.len() + properties.len())
        .sum();
    assert!(bytes <= Baggage::MAX_BYTES, "{bytes} bytes of baggage");
    let items = found.baggage.len();
    assert!(items <= Baggage::MAX_ITEMS, "{items} items of baggage");
    let debug_id = found.debug_id.as_deref().unwrap_or_default();
    let length = debug_id.len();
    assert!(
        length <= Extraction::MAX_DEBUG_ID,
        "a debug id of {length} bytes"
    );
    if let Some(context) = &found.context {
        let members = context.tracestate().as_str().split(',').count();
        assert!(
            members <= TraceState::MAX_MEMBERS,
            "a tracestate of {members} members"
        );
    }
}
