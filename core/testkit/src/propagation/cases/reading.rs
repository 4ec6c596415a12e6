//! What is found in headers.

use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::propagation::{
    Extraction, IncomingHeaders, Outgoing, Propagation, Propagator,
};

use super::super::format::{Format, same_ids};
use super::super::headers::{header_map, text_maps};
use super::super::table::{Found, Lines, Row};

/// Headers that every request has, and that are no trace headers of anybody.
const STRANGERS: [(&str, &str); 4] = [
    ("accept", "*/*"),
    ("cookie", "trace=1; span=2"),
    ("x-request-id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("", ""),
];

/// No headers, strangers and empty values give nothing, and only the last may be refused.
pub fn extracts_nothing_from_empty_headers(format: &Format) {
    let none: [(&str, &str); 0] = [];
    let nothing = Found::default();
    assert_eq!(format.read(&none), nothing, "there are no headers");
    let strangers = format.read(&STRANGERS);
    assert_eq!(
        strangers, nothing,
        "the headers of others say nothing: {STRANGERS:?}"
    );
    for row in format.rows() {
        let empty = row.headers.iter().map(|(name, _)| (name.clone(), ""));
        let found = format.read(&empty.collect::<Vec<_>>());
        assert_eq!(
            (found.context, found.decision),
            (None, None),
            "empty values say nothing, here instead of those of {row}"
        );
    }
}

/// Valid headers of another sender give exactly the context that the grammar says, and no refusal.
pub fn extracts_ids_made_elsewhere(format: &Format) {
    for row in format.rows() {
        if row.found.context.is_some() && !row.found.refused {
            assert_table(format, row);
        }
    }
}

/// Decisions, debug ids and baggage are found without ids, and what says nothing is passed over without a refusal.
pub fn keeps_what_comes_without_ids(format: &Format) {
    for row in format.rows() {
        if row.found.context.is_none() && !row.found.refused {
            assert_table(format, row);
        }
    }
}

/// A header that breaks the grammar is refused, and what stands beside it and does not depend on it is kept.
pub fn ignores_malformed_headers(format: &Format) {
    for row in format.rows() {
        if row.found.refused {
            assert_table(format, row);
        }
    }
}

fn assert_table(format: &Format, row: &Row) {
    assert_eq!(
        format.read(&row.headers),
        row.found,
        "what is found (left) is what the table says (right): {row}"
    );
}

/// Every request with a refusal counts as one, under the name of the format that refused.
pub fn counts_a_refusal_under_its_name(format: &Format) {
    let propagation = Propagation::none()
        .read(Silent)
        .read(format.propagator())
        .read(Silent);
    let mut expected = 0;
    for row in format.rows() {
        // Clones count together.
        for propagation in [&propagation, &propagation.clone()] {
            let _found = propagation.extract(&row.headers);
        }
        expected += 2 * u64::from(row.found.refused);
        assert_eq!(
            propagation.refusals().collect::<Vec<_>>(),
            [("silent", 0), (format.name(), expected), ("silent", 0)],
            "the refusals so far (left) are one a request, under the name of the format (right): {row}"
        );
    }
}

/// Text pairs, maps and `http`'s map give the same, whatever order maps bring.
pub fn text_pairs_and_header_maps_agree(format: &Format) {
    let mut maps = 0;
    for row in format.rows() {
        let found = format.read(&row.headers);
        let borrowed: Vec<(&str, &[u8])> = row
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        assert_eq!(format.read(&borrowed), found, "pairs of texts: {row}");
        // Through a reference, as a view is handed on.
        let by_reference: &dyn HeaderView = &borrowed.as_slice();
        let referred = format.read(&by_reference);
        assert_eq!(referred, found, "the same by reference: {row}");
        if let Some(map) = header_map(&row.headers) {
            maps += 1;
            let mapped = sorted(format.read(&map));
            assert_eq!(mapped, sorted(found.clone()), "http's map: {row}");
        }
        for map in text_maps(&row.headers).into_iter().flatten() {
            // Where two headers compete for the bounds their order decides.
            if row.headers.len() < 3 || !found.refused {
                let mapped = sorted(format.read(&&*map));
                assert_eq!(mapped, sorted(found.clone()), "a standard map: {row}");
            }
        }
    }
    assert!(maps > 0, "most rows can come by HTTP");
}

/// A header's name has no case.
pub fn header_names_come_in_any_case(format: &Format) {
    for row in format.rows() {
        for change in [str::to_ascii_uppercase, str::to_ascii_lowercase, title_case] {
            let headers = renamed(row, change);
            assert_eq!(
                format.read(&headers),
                format.read(&row.headers),
                "the case of names changes nothing (left, and right what the row gives):{}\nand as they were: {row}",
                Lines(&headers)
            );
        }
    }
}

/// A name that only looks like the format's is another header's: one that lacks a letter or has one more, before, within
/// or behind, says nothing, neither alone nor beside the format's own.
pub fn header_names_are_taken_whole(format: &Format) {
    let behind = |name: &str| name[1..].to_owned();
    let before = |name: &str| format!("x{name}");
    let dotted = |name: &str| name.replace('-', ".");
    let spread = |name: &str| name.split_at(2).0.to_owned() + "-" + name.split_at(2).1;
    let longer = |name: &str| format!("{name}x");
    let parted = |name: &str| format!("{name}-id");
    let cut = |name: &str| name[..name.len() - 1].to_owned();
    let changes: [&dyn Fn(&str) -> String; 7] =
        [&behind, &before, &dotted, &spread, &longer, &parted, &cut];
    let mut tried = 0;
    for row in format.rows() {
        for change in changes {
            let mut others = renamed(row, change);
            let mut pairs = others.iter().zip(&row.headers);
            if !pairs.all(|(new, old)| new.0 != old.0) {
                continue;
            }
            // Of a family every member is the format's own, and so may two names be of which one begins like the other.
            others.retain(|(name, _)| !format.owns(name));
            tried += others.len();
            assert_eq!(
                format.read(&others),
                Found::default(),
                "only whole names are the format's (a family of them is declared by `Format::family`), so nothing is \
                 found in{}",
                Lines(&others)
            );
            if !row.found.refused || row.headers.len() < 3 {
                let mut crowd: Vec<_> = others
                    .into_iter()
                    .map(|(name, _)| owned(&name, "theirs"))
                    .collect();
                crowd.extend(row.headers.iter().cloned());
                assert_eq!(
                    format.read(&crowd),
                    format.read(&row.headers),
                    "headers whose names only look like the format's change nothing:{}",
                    Lines(&crowd)
                );
            }
        }
    }
    assert!(tried > 0, "some name can be changed");
}

/// Whatever a header says to the format, or is written by it, stands under a name that it [declares] as its own, and the
/// headers of others do not: an injection removes the declared ones, and no more.
///
/// [declares]: opentracing_http::propagation::Propagator::fields
pub fn declares_every_header_that_it_owns(format: &Format) {
    for row in format.rows() {
        let others = row
            .headers
            .iter()
            .filter(|(name, _)| !format.declares(name));
        let others: Vec<_> = others.cloned().collect();
        assert_eq!(
            format.read(&others),
            Found::default(),
            "headers that the format reads are not among its `fields`:{}",
            Lines(&others)
        );
    }
    for name in format.written_names() {
        assert!(
            format.declares(&name),
            "a header that the format writes is not among its `fields`: {name}"
        );
    }
    for (name, _) in STRANGERS {
        assert!(!format.declares(name), "{name:?} is another's");
    }
}

/// Headers of different names may come in any order, and strangers between them.
pub fn headers_come_in_any_order(format: &Format) {
    for row in format.rows() {
        let mut headers = row.headers.clone();
        let lower = |at: &(String, Vec<u8>)| at.0.to_ascii_lowercase();
        // Stable, so that the values of one name keep their order.
        headers.sort_by_key(|header| std::cmp::Reverse(lower(header)));
        let mut crowd: Vec<_> = STRANGERS
            .iter()
            .map(|(name, value)| owned(name, value))
            .collect();
        for header in headers {
            crowd.push(header);
            crowd.extend(STRANGERS.iter().map(|(name, value)| owned(name, value)));
        }
        if !row.found.refused || row.headers.len() < 3 {
            let expected = sorted(format.read(&row.headers));
            assert_eq!(
                sorted(format.read(&crowd)),
                expected,
                "another order and strangers between change nothing (left, and right what the row gives): {row}"
            );
        }
    }
}

/// Blanks and tabs round a value are not part of it (RFC 9110, section 5.5).
pub fn blanks_round_a_value_change_nothing(format: &Format) {
    for row in format.rows() {
        let spaced = row.headers.iter().map(|(name, value)| {
            let value = [b" \t ", value.as_slice(), b"\t "].concat();
            (name.clone(), value)
        });
        let total: usize = row.headers.iter().map(|(_, value)| value.len()).sum();
        // Blanks count where bytes are counted.
        if total < 4096 {
            let spaced = format.read(&spaced.collect::<Vec<_>>());
            assert_eq!(
                spaced, row.found,
                "blanks round the values change nothing (left, and right what the table says): {row}"
            );
        }
    }
}

/// Where two headers of one name bring different ids neither counts, and the request is refused.
pub fn two_conflicting_ids_are_none(format: &Format) {
    let valid: Vec<_> = with_context(format).collect();
    let mut conflicts = 0;
    for row in &valid {
        for (at, (name, value)) in row.headers.iter().enumerate() {
            let mut without = row.headers.clone();
            without.remove(at);
            if format.read(&without).context.is_some() {
                continue;
            }
            let mut repeated = row.headers.clone();
            repeated.insert(at, (name.clone(), value.clone()));
            assert_none(format, &repeated);
            conflicts += 1;

            // The value of another row that has such a header and other ids.
            let other = valid.iter().find_map(|other| {
                let (_, other) = (other.headers.iter()).find(|(found, found_value)| {
                    found.eq_ignore_ascii_case(name) && found_value != value
                })?;
                Some(other.clone())
            });
            let Some(other) = other else { continue };
            for place in [at, at + 1, row.headers.len()] {
                let mut headers = row.headers.clone();
                headers.insert(place, (name.to_ascii_uppercase(), other.clone()));
                assert_none(format, &headers);
                conflicts += 1;
            }
        }
    }
    assert!(conflicts > 0, "ids stand in some header");
}

fn assert_none(format: &Format, headers: &[(String, Vec<u8>)]) {
    let found = format.read(&headers);
    assert!(
        found.context.is_none() && found.refused,
        "of two headers of one name that have ids neither counts, and the request is refused, but this was found: \
         {found:?} in{}",
        Lines(headers)
    );
}

/// A format that is read again finds nothing else, and takes nothing back: the first to find a thing wins.
pub fn reading_twice_changes_nothing(format: &Format) {
    let once = Propagation::none().read(format.propagator());
    let twice = once.clone().read(format.propagator());
    let valid: Vec<_> = with_context(format).collect();
    for row in format.rows() {
        let found = |propagation: &Propagation| {
            let mut found = Found::of(&propagation.extract(&row.headers), row.found.refused);
            // What went over the bounds may find room the second time.
            found.baggage.truncate(row.found.baggage.len());
            found
        };
        assert_eq!(
            found(&twice),
            found(&once),
            "reading a second time (left) changes nothing (right): {row}"
        );
    }
    // What another format has found stays, too.
    for (row, other) in valid.iter().zip(valid.iter().rev()) {
        let theirs = other.found.context.clone();
        let both = Propagation::none()
            .read(Fixed(theirs.clone()))
            .read(format.propagator());
        let found = both.extract(&row.headers).context();
        assert!(
            matches!((&found, &theirs), (Some(found), Some(theirs)) if same_ids(found, theirs)),
            "what an earlier format has found stays: {theirs:?}, not {found:?}, with {row}"
        );
    }
}

fn with_context(format: &Format) -> impl Iterator<Item = &Row> {
    let valid = |row: &&Row| row.found.context.is_some() && !row.found.refused;
    format.rows().iter().filter(valid)
}

fn renamed(row: &Row, change: impl Fn(&str) -> String) -> Vec<(String, Vec<u8>)> {
    let headers = row.headers.iter();
    headers
        .map(|(name, value)| {
            let known = name.len() > 1 && name.is_ascii();
            let name = if known { change(name) } else { name.clone() };
            (name, value.clone())
        })
        .collect()
}

fn title_case(name: &str) -> String {
    let mut first = true;
    let change = |char: char| {
        let upper = std::mem::replace(&mut first, char == '-');
        match upper {
            true => char.to_ascii_uppercase(),
            false => char.to_ascii_lowercase(),
        }
    };
    name.chars().map(change).collect()
}

fn owned(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_owned())
}

/// Maps lose the headers' order, and baggage that has headers of its own loses it with them.
fn sorted(mut found: Found) -> Found {
    found.baggage.sort_unstable();
    found
}

/// Finds nothing and refuses nothing.
#[derive(Debug)]
struct Silent;

impl Propagator for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }

    fn extract(&self, _: &IncomingHeaders<'_>, _: &mut Extraction) {}

    fn inject(&self, _: &Outgoing<'_>, _: &mut dyn Carrier) {}
}

/// Finds this context in every request.
#[derive(Debug)]
struct Fixed(Option<opentracing_http::SpanContext>);

impl Propagator for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn extract(&self, _: &IncomingHeaders<'_>, found: &mut Extraction) {
        if let Some(context) = self.0.clone() {
            found.set_context(context);
        }
    }

    fn inject(&self, _: &Outgoing<'_>, _: &mut dyn Carrier) {}
}
