//! The role of a span in a call or a message exchange.

/// The role of a span in a call or a message exchange (OpenTracing's tag `span.kind`). The default is
/// [`Internal`](Self::Internal).
///
/// ```
/// use opentracing_http::SpanKind;
///
/// assert_eq!(SpanKind::Client.as_str(), Some("client"));
/// assert_eq!(SpanKind::Internal.as_str(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work within a process. Such a span has no `span.kind` tag.
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
    /// Returns the value of the tag `span.kind`; `None` for [`Internal`](Self::Internal).
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
