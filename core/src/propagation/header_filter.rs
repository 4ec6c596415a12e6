//! Which headers are looked at.

use crate::propagation::carrier::KnownHeader;

/// The headers that somebody wants of a request, told by the length and the first letter of their names: most headers of most
/// requests need no other look.
///
/// A [`HeaderView`](super::HeaderView) gets one when it is to show [those headers](super::HeaderView::each_wanted_header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFilter {
    /// The lengths of the names that start with a letter, a bit each, by the lower five bits of the letter. The last bit is for
    /// all lengths from 31 on.
    lengths: [u32; 32],
    /// Whether headers that propagation reads were [added](Self::with) for another purpose.
    has_known: bool,
}

impl HeaderFilter {
    const NOTHING: Self = Self {
        lengths: [0; 32],
        has_known: false,
    };

    /// The headers that propagation reads.
    pub(crate) const PROPAGATION: Self = {
        let mut filter = Self::NOTHING;
        let mut names = KnownHeader::NAMED;
        while let [header, rest @ ..] = names {
            let name = header.name().as_bytes();
            filter.add(name, name.len());
            names = rest;
        }
        // What starts with it may be as long as it likes.
        let prefix = KnownHeader::UberCtx.name().as_bytes();
        let mut length = prefix.len();
        while length < 32 {
            filter.add(prefix, length);
            length += 1;
        }
        filter
    };

    const fn add(&mut self, name: &[u8], length: usize) {
        if let Some(first) = name.first() {
            let bit = if length < 31 { length } else { 31 };
            self.lengths[(*first & 31) as usize] |= 1 << bit;
        }
    }

    /// Adds the header of this name.
    pub(crate) fn with(mut self, name: &str) -> Self {
        self.add(name.as_bytes(), name.len());
        self.has_known |= KnownHeader::from_name(name).is_some();
        self
    }

    /// Returns whether a header of this name is kept beside those of propagation when headers are looked through.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        !self.has_known && self.may_want(name)
    }

    /// Returns whether a header of this name, whatever its case, may be wanted. It need not be: other names begin and end alike.
    #[must_use]
    #[inline]
    pub fn may_want(&self, name: &str) -> bool {
        let name = name.as_bytes();
        let first = name.first().map_or(0, |first| usize::from(first & 31));
        let lengths = self.lengths.get(first).copied().unwrap_or_default();
        lengths >> name.len().min(31) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_headers_pass_whatever_their_case_and_most_others_do_not() {
        let filter = HeaderFilter::PROPAGATION.with("x-team");
        for header in KnownHeader::NAMED {
            assert!(filter.may_want(header.name()));
            assert!(filter.may_want(&header.name().to_ascii_uppercase()));
        }
        let long = format!("uberctx-{}", "a".repeat(100));
        for wanted in ["X-Team", "uberctx-a", "UBERCTX-ab", &long] {
            assert!(filter.may_want(wanted), "{wanted}");
        }
        for other in [
            "", "accept", "host", "trace", "uberctx", "x-teams", "cookie",
        ] {
            assert!(!filter.may_want(other), "{other}");
        }
        assert!(!HeaderFilter::PROPAGATION.may_want("x-team"));
    }
}
