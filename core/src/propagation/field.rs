//! Header fields of a format.

use std::borrow::Cow;

use crate::propagation::carrier::KnownHeader;

/// A header field, or a family of fields, that belongs to a [`Propagator`](super::Propagator).
///
/// ```
/// use opentracing_http::propagation::Field;
///
/// assert!(Field::named("x-acme-trace").covers("X-Acme-Trace"));
/// assert!(Field::prefixed("x-acme-item-").covers("x-acme-item-tenant"));
/// assert!(!Field::named("x-acme-trace").covers("x-acme-trace-id"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// A known header; for [`KnownHeader::UberCtx`] all headers with its prefix.
    Known(KnownHeader),
    /// The header with this name, in lower case.
    Named(Cow<'static, str>),
    /// All headers whose names start with this prefix, in lower case.
    Prefixed(Cow<'static, str>),
}

impl Field {
    /// Creates a field for the header `name`, which is in lower case.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self::Named(Cow::Borrowed(name))
    }

    /// Creates a field for all headers whose names start with `prefix`, which is in lower case.
    #[must_use]
    pub const fn prefixed(prefix: &'static str) -> Self {
        Self::Prefixed(Cow::Borrowed(prefix))
    }

    /// Returns `true` if a header with this name, in any case, belongs to the field.
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
