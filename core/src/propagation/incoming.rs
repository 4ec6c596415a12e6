//! The headers of a caller.

use std::fmt;

use http::HeaderName;

use crate::propagation::carrier::{HeaderView, KnownHeader};
use crate::propagation::header_filter::HeaderFilter;

/// A caller's headers: all trace headers, found in one pass, and a view of the others.
///
/// ```
/// use opentracing_http::propagation::{IncomingHeaders, KnownHeader};
///
/// let headers = [("b3", "0"), ("tracestate", "a=1"), ("tracestate", "b=2"), ("x-acme-trace", "1/2")];
/// let incoming = IncomingHeaders::read(&headers);
/// assert_eq!(incoming.single(KnownHeader::B3), Ok(Some(&b"0"[..])));
/// assert!(incoming.single(KnownHeader::Tracestate).is_err()); // there are two
/// assert_eq!(incoming.first(KnownHeader::Tracestate), Some(&b"a=1"[..]));
/// let mut values = Vec::new();
/// incoming.values(KnownHeader::Tracestate, &mut |value| values.push(value));
/// assert_eq!(values.len(), 2);
/// assert!(!incoming.contains(KnownHeader::Traceparent));
/// assert_eq!(incoming.single_named("x-acme-trace"), Ok(Some(&b"1/2"[..])));
/// assert_eq!(incoming.view().header("x-acme-trace"), Some(&b"1/2"[..]));
/// // All of it is wanted of a caller that is trusted.
/// assert!(incoming.wants_baggage() && incoming.wants_tracestate() && incoming.wants_debug_id());
/// ```
pub struct IncomingHeaders<'a> {
    view: &'a dyn HeaderView,
    /// The first value of each known header.
    known: [Option<&'a [u8]>; KnownHeader::NAMED.len()],
    /// Which headers are present, and which more than once: one bit each, by their index.
    there: u16,
    repeated: u16,
    /// Other headers that may be wanted, in order.
    others: [Option<(&'a str, &'a [u8])>; OTHERS],
    /// Number of other headers that were present.
    other_count: usize,
    pub(super) unwanted: Unwanted,
}

/// What is not read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unwanted {
    /// Tracestate and baggage.
    pub(super) extra: bool,
    pub(super) debug_id: bool,
}

/// How many other headers are stored; if there are more, they are looked up in the view.
const OTHERS: usize = 6;

impl<'a> IncomingHeaders<'a> {
    /// Reads the headers, in one pass.
    #[must_use]
    pub fn read(view: &'a dyn HeaderView) -> Self {
        let mut headers = Self::new(view);
        headers.look_through(&HeaderFilter::PROPAGATION);
        headers
    }

    /// Creates a value whose headers have not been read yet.
    #[inline]
    pub(crate) const fn new(view: &'a dyn HeaderView) -> Self {
        Self {
            view,
            known: [None; KnownHeader::NAMED.len()],
            there: 0,
            repeated: 0,
            others: [None; OTHERS],
            other_count: 0,
            unwanted: Unwanted {
                extra: false,
                debug_id: false,
            },
        }
    }

    /// Reads the headers in one pass, and also stores other wanted headers.
    pub(crate) fn look_through(&mut self, wanted: &HeaderFilter) {
        let Self {
            view,
            known,
            there,
            repeated,
            others,
            other_count,
            ..
        } = self;
        view.each_wanted_header(wanted, &mut |name, value| {
            let Some(header) = KnownHeader::from_name(name) else {
                if let Some(other) = others.get_mut(*other_count) {
                    *other = Some((name, value));
                }
                *other_count += 1;
                return;
            };
            let bit = bit(header);
            *repeated |= *there & bit;
            *there |= bit;
            if let Some(first) = known.get_mut(header.index()) {
                first.get_or_insert(value);
            }
        });
    }

    /// Requests ids and flags only.
    pub(crate) fn want_ids_only(&mut self) {
        self.unwanted = Unwanted {
            extra: true,
            debug_id: true,
        };
    }

    /// Requests no debug id.
    pub(crate) fn want_no_debug_id(&mut self) {
        self.unwanted.debug_id = true;
    }

    /// Returns `true` if a known header is present.
    pub(crate) fn any_known(&self) -> bool {
        self.there != 0
    }

    /// Returns `true` if baggage is wanted. It is not wanted of a caller that is not trusted. Baggage that is added
    /// anyway is not stored.
    #[must_use]
    pub fn wants_baggage(&self) -> bool {
        !self.unwanted.extra
    }

    /// Returns `true` if tracestate is wanted, under the same condition as in [`wants_baggage`](Self::wants_baggage).
    #[must_use]
    pub fn wants_tracestate(&self) -> bool {
        !self.unwanted.extra
    }

    /// Returns `true` if a debug id is wanted. It is not wanted if the policy trusts nobody's debug requests, which is
    /// the default.
    #[must_use]
    pub fn wants_debug_id(&self) -> bool {
        !self.unwanted.debug_id
    }

    /// Returns the header's only value, not trimmed; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// Returns an error if the header is present more than once, which no format of ids allows.
    pub fn single(&self, header: KnownHeader) -> Result<Option<&'a [u8]>, Duplicate> {
        match self.repeated & bit(header) {
            0 => Ok(self.first(header)),
            _ => Err(Duplicate(())),
        }
    }

    /// Returns the only value of a header that is not known, whose name may be in any case.
    ///
    /// # Errors
    ///
    /// Returns an error if the header is present more than once.
    pub fn single_named(&self, name: &str) -> Result<Option<&'a [u8]>, Duplicate> {
        let (mut value, mut count) = (None, 0);
        self.view.header_values(name, &mut |found| {
            value = Some(found);
            count += 1;
        });
        match count {
            0 | 1 => Ok(value),
            _ => Err(Duplicate(())),
        }
    }

    /// Returns the header's first value, not trimmed.
    #[must_use]
    pub fn first(&self, header: KnownHeader) -> Option<&'a [u8]> {
        self.known.get(header.index()).copied().flatten()
    }

    /// Returns `true` if the header is present.
    #[must_use]
    pub fn contains(&self, header: KnownHeader) -> bool {
        self.there & bit(header) != 0
    }

    /// Calls `visit` for every value of a header, in order.
    pub fn values(&self, header: KnownHeader, visit: &mut dyn FnMut(&'a [u8])) {
        match (self.first(header), self.repeated & bit(header)) {
            (None, _) => {}
            (Some(first), 0) => visit(first),
            (Some(_), _) => self.view.header_values(header.name(), visit),
        }
    }

    /// Returns a view of all headers, for those that are not known.
    #[must_use]
    pub fn view(&self) -> &'a dyn HeaderView {
        self.view
    }
}

/// Headers that have been read for those that are wanted, so that these need no second look-up.
pub(crate) struct Seen<'h, 'a> {
    pub(crate) headers: &'h IncomingHeaders<'a>,
    /// The filter that they were read with.
    pub(crate) wanted: &'h HeaderFilter,
}

impl Seen<'_, '_> {
    /// Returns `true` if all headers with this name are stored.
    fn has_seen(&self, name: &str) -> bool {
        self.headers.other_count <= OTHERS && self.wanted.keeps(name)
    }

    /// Returns the first value of this header, whose name is in lower case.
    #[inline]
    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        if !self.has_seen(name) {
            return self.headers.view.header(name);
        }
        let others = self.headers.others.iter().map_while(|other| *other);
        let mut same = others.filter(|(other, _)| is_same(other, name));
        same.next().map(|(_, value)| value)
    }

    /// Returns the only value of this header if it is stored. `None` does not mean that the header is absent.
    pub(crate) fn single(&self, name: &HeaderName) -> Option<&[u8]> {
        let name = name.as_str();
        if !self.has_seen(name) {
            return None;
        }
        let mut single = None;
        for other in &self.headers.others {
            let Some((other, value)) = other else {
                break;
            };
            if is_same(other, name) && single.replace(*value).is_some() {
                return None;
            }
        }
        single
    }
}

/// Returns `true` for two names of the same header. Most views return names in lower case.
#[inline]
fn is_same(other: &str, name: &str) -> bool {
    other.len() == name.len() && (other == name || other.eq_ignore_ascii_case(name))
}

impl HeaderView for Seen<'_, '_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.headers.view.each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        if !self.has_seen(name) {
            return self.headers.view.header_values(name, visit);
        }
        let others = self.headers.others.iter().map_while(|other| *other);
        for (other, value) in others {
            if other.eq_ignore_ascii_case(name) {
                visit(value);
            }
        }
    }
}

impl fmt::Debug for IncomingHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                KnownHeader::NAMED
                    .iter()
                    .filter(|header| self.contains(**header)),
            )
            .finish()
    }
}

/// Returns the header's bit; all headers of the family share one.
const fn bit(header: KnownHeader) -> u16 {
    const { assert!(KnownHeader::NAMED.len() < 16, "there is a bit for each") };
    1 << header.index()
}

/// The error for a header that is present more than once where only one is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate(());

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header is present more than once")
    }
}

impl std::error::Error for Duplicate {}
