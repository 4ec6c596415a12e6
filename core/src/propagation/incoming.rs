//! The headers that a caller sent.

use std::fmt;

use crate::propagation::carrier::{HeaderView, KnownHeader};

/// What came in: every trace header, found in one pass, and the view for those that are not known here.
pub struct IncomingHeaders<'a> {
    view: &'a dyn HeaderView,
    known: [Found<'a>; KnownHeader::NAMED.len()],
    uberctx: bool,
    pub(super) unwanted: Unwanted,
}

/// What is not to be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unwanted {
    /// Tracestate and baggage.
    pub(super) extra: bool,
    pub(super) debug_id: bool,
}

/// The values of one known header, as far as one pass without an allocation can keep them.
#[derive(Clone, Copy, Default)]
struct Found<'a> {
    first: &'a [u8],
    count: usize,
}

impl<'a> IncomingHeaders<'a> {
    /// Looks through the headers once.
    #[must_use]
    pub fn read(view: &'a dyn HeaderView) -> Self {
        let mut known = [Found::default(); KnownHeader::NAMED.len()];
        let mut uberctx = false;
        view.each_known_header(&mut |header, value| match known.get_mut(header.index()) {
            Some(found) => {
                if found.count == 0 {
                    found.first = value;
                }
                found.count += 1;
            }
            None => uberctx = true,
        });
        Self {
            view,
            known,
            uberctx,
            unwanted: Unwanted::default(),
        }
    }

    /// The same headers, of which ids and flags alone are wanted.
    pub(crate) fn ids_only(mut self) -> Self {
        self.unwanted = Unwanted {
            extra: true,
            debug_id: true,
        };
        self
    }

    /// The same headers, of which no debug id is wanted.
    pub(crate) fn without_debug_id(mut self) -> Self {
        self.unwanted.debug_id = true;
        self
    }

    /// Whether a header is there that is known here.
    pub(crate) fn any_known(&self) -> bool {
        self.uberctx || self.known.iter().any(|found| found.count > 0)
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
        match self.known.get(header.index()) {
            Some(Found { count: 0, .. }) | None => Ok(None),
            Some(Found { count: 1, first }) => Ok(Some(first)),
            Some(_) => Err(Duplicate(())),
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
        let found = self.known.get(header.index())?;
        (found.count > 0).then_some(found.first)
    }

    /// Whether the header is there at all.
    #[must_use]
    pub fn contains(&self, header: KnownHeader) -> bool {
        self.known
            .get(header.index())
            .map_or(self.uberctx, |found| found.count > 0)
    }

    /// Visits every value of a header, in order.
    pub fn values(&self, header: KnownHeader, visit: &mut dyn FnMut(&'a [u8])) {
        match self.known.get(header.index()) {
            Some(Found { count: 0, .. }) | None => {}
            Some(Found { count: 1, first }) => visit(first),
            Some(_) => self.view.header_values(header.name(), visit),
        }
    }

    /// All the headers, for those that are not known here.
    #[must_use]
    pub fn view(&self) -> &'a dyn HeaderView {
        self.view
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

/// A header that may stand in a request only once stood there more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate(());

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header stands in the request more than once")
    }
}

impl std::error::Error for Duplicate {}
