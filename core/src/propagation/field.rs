//! The header fields that a format owns.

use std::borrow::Cow;

use crate::propagation::carrier::KnownHeader;

/// A header field, or a family of them, that a [`Propagator`](super::Propagator) owns.
///
/// ```
/// use opentracing_http::propagation::Field;
///
/// assert!(Field::named("x-house-trace").covers("X-House-Trace"));
/// assert!(Field::prefixed("x-house-item-").covers("x-house-item-tenant"));
/// assert!(!Field::named("x-house-trace").covers("x-house-trace-id"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// A header that is known here; of [`KnownHeader::UberCtx`] all that begin so.
    Known(KnownHeader),
    /// The header of this name, in lower case.
    Named(Cow<'static, str>),
    /// Every header whose name begins so, in lower case.
    Prefixed(Cow<'static, str>),
}

impl Field {
    /// Makes a field of one header's name, in lower case.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self::Named(Cow::Borrowed(name))
    }

    /// Makes a field of all headers whose names begin with `prefix`, in lower case.
    #[must_use]
    pub const fn prefixed(prefix: &'static str) -> Self {
        Self::Prefixed(Cow::Borrowed(prefix))
    }

    /// Returns whether a header of this name, in whatever case, is the field, or one of its family.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let (own, family) = match self {
            Self::Known(KnownHeader::UberCtx) => (KnownHeader::UberCtx.name(), true),
            Self::Known(known) => (known.name(), false),
            Self::Named(own) => (&**own, false),
            Self::Prefixed(prefix) => (&**prefix, true),
        };
        let start = if family {
            name.get(..own.len())
        } else {
            Some(name)
        };
        start.is_some_and(|start| start.eq_ignore_ascii_case(own))
    }
}
