//! A filter for the headers that are read.

use crate::propagation::carrier::KnownHeader;

/// A fast filter for headers by the length and the first letter of their names. It excludes most headers of most
/// requests.
///
/// A [`HeaderView`](super::HeaderView) gets one in [`each_wanted_header`](super::HeaderView::each_wanted_header); see
/// [`HeaderView`](super::HeaderView) for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFilter {
    /// Indexed by the lower five bits of the first letter: the lengths of wanted names, one bit each. The last bit
    /// stands for all lengths from 31.
    lengths: [u32; 32],
    /// Whether headers that propagation reads were also [added](Self::with) for another purpose.
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
        // A name with this prefix may have any greater length.
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

    /// Adds the header with this name.
    pub(crate) fn with(mut self, name: &str) -> Self {
        self.add(name.as_bytes(), name.len());
        self.has_known |= KnownHeader::from_name(name).is_some();
        self
    }

    /// Returns `true` if a header with this name is stored in addition to those of propagation.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        !self.has_known && self.may_want(name)
    }

    /// Returns `false` if a header with this name, in any case, is not wanted. `true` may be wrong: different names can
    /// have the same length and first letter.
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
