//! How a span stands to those that caused it.

use crate::context::span_context::SpanContext;

/// How a span stands to another (OpenTracing specification, "References between Spans").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Whether the other span depends on this one.
    pub kind: ReferenceKind,
    /// The other span.
    pub context: SpanContext,
}

/// The kinds of [`Reference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReferenceKind {
    /// The other span depends on this one.
    ChildOf,
    /// The other span caused this one but does not wait for it.
    FollowsFrom,
}

impl ReferenceKind {
    /// The name that OpenTracing gives it: `child_of` or `follows_from`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChildOf => "child_of",
            Self::FollowsFrom => "follows_from",
        }
    }
}

impl Reference {
    /// A reference to a span that depends on this one.
    #[must_use]
    pub const fn child_of(context: SpanContext) -> Self {
        Self {
            kind: ReferenceKind::ChildOf,
            context,
        }
    }

    /// A reference to a span that caused this one without waiting for it.
    #[must_use]
    pub const fn follows_from(context: SpanContext) -> Self {
        Self {
            kind: ReferenceKind::FollowsFrom,
            context,
        }
    }
}
