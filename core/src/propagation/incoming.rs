//! The headers that a caller sent.

use std::fmt;

use http::HeaderName;

use crate::propagation::carrier::{HeaderView, KnownHeader};
use crate::propagation::header_filter::HeaderFilter;

/// What came in: every trace header, found in one pass, and the view for those that are not known here.
pub struct IncomingHeaders<'a> {
    view: &'a dyn HeaderView,
    /// The first value of each.
    known: [Option<&'a [u8]>; KnownHeader::NAMED.len()],
    /// Which are there, and which more than once: a bit each, by their index.
    there: u16,
    repeated: u16,
    /// Others that may be wanted, in order.
    others: [Option<(&'a str, &'a [u8])>; OTHERS],
    /// How many of them were there.
    other_count: usize,
    pub(super) unwanted: Unwanted,
}

/// What is not to be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unwanted {
    /// Tracestate and baggage.
    pub(super) extra: bool,
    pub(super) debug_id: bool,
}

/// How many other headers are kept; where there are more, they are looked up.
const OTHERS: usize = 6;

impl<'a> IncomingHeaders<'a> {
    /// Looks through the headers once.
    #[must_use]
    pub fn read(view: &'a dyn HeaderView) -> Self {
        let mut headers = Self::new(view);
        headers.look_through(&HeaderFilter::PROPAGATION);
        headers
    }

    /// Headers that have not been looked at yet.
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

    /// Looks through the headers, once, and keeps others that are wanted beside those of propagation.
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

    /// Has nothing read but ids and flags.
    pub(crate) fn want_ids_only(&mut self) {
        self.unwanted = Unwanted {
            extra: true,
            debug_id: true,
        };
    }

    /// Has no debug id read.
    pub(crate) fn want_no_debug_id(&mut self) {
        self.unwanted.debug_id = true;
    }

    /// Whether a header is there that is known here.
    pub(crate) fn any_known(&self) -> bool {
        self.there != 0
    }

    /// Returns whether baggage is wanted; it is not of a caller that is not trusted. What is added all the same is not kept.
    #[must_use]
    pub fn wants_baggage(&self) -> bool {
        !self.unwanted.extra
    }

    /// Returns whether tracestate is wanted, as [`wants_baggage`](Self::wants_baggage) does.
    #[must_use]
    pub fn wants_tracestate(&self) -> bool {
        !self.unwanted.extra
    }

    /// Returns whether a debug id is wanted; it is not where the policy trusts nobody's debug requests, which is the default.
    #[must_use]
    pub fn wants_debug_id(&self) -> bool {
        !self.unwanted.debug_id
    }

    /// The header's only value, untrimmed; `Err` if it stands there more than once, which no format of ids allows.
    pub fn single(&self, header: KnownHeader) -> Result<Option<&'a [u8]>, Duplicate> {
        match self.repeated & bit(header) {
            0 => Ok(self.first(header)),
            _ => Err(Duplicate(())),
        }
    }

    /// The same of a header that is not known here, whatever its name's case.
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

    /// The header's first value, untrimmed.
    #[must_use]
    pub fn first(&self, header: KnownHeader) -> Option<&'a [u8]> {
        self.known.get(header.index()).copied().flatten()
    }

    /// Whether the header is there at all.
    #[must_use]
    pub fn contains(&self, header: KnownHeader) -> bool {
        self.there & bit(header) != 0
    }

    /// Visits every value of a header, in order.
    pub fn values(&self, header: KnownHeader, visit: &mut dyn FnMut(&'a [u8])) {
        match (self.first(header), self.repeated & bit(header)) {
            (None, _) => {}
            (Some(first), 0) => visit(first),
            (Some(_), _) => self.view.header_values(header.name(), visit),
        }
    }

    /// All the headers, for those that are not known here.
    #[must_use]
    pub fn view(&self) -> &'a dyn HeaderView {
        self.view
    }
}

/// Headers that have been looked through for those that are wanted: what is asked for by name is not looked up again.
pub(crate) struct Seen<'h, 'a> {
    pub(crate) headers: &'h IncomingHeaders<'a>,
    /// What they were looked through for.
    pub(crate) wanted: &'h HeaderFilter,
}

impl Seen<'_, '_> {
    /// Whether all headers of this name are at hand.
    fn has_seen(&self, name: &str) -> bool {
        self.headers.other_count <= OTHERS && self.wanted.keeps(name)
    }

    /// The only value of this header, if it is at hand: what most headers have. `None` does not say that there is none.
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
            // Most views have the names in lower case.
            let is_it =
                other.len() == name.len() && (*other == name || other.eq_ignore_ascii_case(name));
            if is_it && single.replace(*value).is_some() {
                return None;
            }
        }
        single
    }
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

/// The header's bit; those of the family have one together.
const fn bit(header: KnownHeader) -> u16 {
    const { assert!(KnownHeader::NAMED.len() < 16, "there is a bit for each") };
    1 << header.index()
}

/// A header that may stand in a request only once stood there more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate(());

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header stands in the request more than once")
    }
}

impl std::error::Error for Duplicate {}
