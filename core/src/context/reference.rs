//! References from one span to another.

use crate::context::span_context::SpanContext;

/// A relation of a span to another one (OpenTracing specification, "References between Spans").
///
/// ```
/// use opentracing_http::report::{Reference, ReferenceKind};
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let context = tracing.span("upload").start().context().expect("it is recorded");
/// let reference = Reference::follows_from(context.clone());
/// assert_eq!(reference.kind.as_str(), "follows_from");
/// assert_eq!(Reference::child_of(context).kind, ReferenceKind::ChildOf);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The kind of the relation.
    pub kind: ReferenceKind,
    /// The other span.
    pub context: SpanContext,
}

/// The kinds of [`Reference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReferenceKind {
    /// The other span is the parent and depends on the result of this one.
    ChildOf,
    /// The other span caused this one but does not depend on its result.
    FollowsFrom,
}

impl ReferenceKind {
    /// Returns OpenTracing's name of the kind: `child_of` or `follows_from`; see [`Reference`] for an example.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChildOf => "child_of",
            Self::FollowsFrom => "follows_from",
        }
    }
}

impl Reference {
    /// Creates a reference to the parent, which depends on the result of the referring span.
    #[must_use]
    pub const fn child_of(context: SpanContext) -> Self {
        Self {
            kind: ReferenceKind::ChildOf,
            context,
        }
    }

    /// Creates a reference to a span that caused the referring one but does not depend on its result.
    #[must_use]
    pub const fn follows_from(context: SpanContext) -> Self {
        Self {
            kind: ReferenceKind::FollowsFrom,
            context,
        }
    }
}
