//! On which side of a call a span stands.

/// On which side of a call a span stands (OpenTracing's `span.kind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work within a process; has no `span.kind` tag.
    #[default]
    Internal,
    /// The receiving side of a call.
    Server,
    /// The calling side of a call.
    Client,
    /// The sending side of a message.
    Producer,
    /// The receiving side of a message.
    Consumer,
}

impl SpanKind {
    /// The value of the `span.kind` tag; `None` for [`Internal`](Self::Internal).
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Internal => None,
            Self::Server => Some("server"),
            Self::Client => Some("client"),
            Self::Producer => Some("producer"),
            Self::Consumer => Some("consumer"),
        }
    }
}
