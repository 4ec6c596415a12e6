//! The outcome of a request.

use std::fmt;

/// The outcome of a request: every request has exactly one.
///
/// ```
/// use opentracing_http::Outcome;
///
/// assert_eq!(Outcome::BodyAbandoned.as_str(), "body_abandoned");
/// assert!(Outcome::BodyAbandoned.is_failure(Some(200)));
/// assert!(!Outcome::Completed.is_failure(Some(404)));
/// assert!(Outcome::Completed.is_failure(Some(500)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The response was created, and sent as far as [`SpanEnd`] waits for it.
    Completed,
    /// A handler's error reached the tracing layer instead of a response.
    HandlerError,
    /// The handler or the response body panicked.
    Panicked,
    /// The request was dropped before it had a response: the client left, or a timeout outside of the tracing layer
    /// ended it.
    Cancelled,
    /// The response body ended with an error.
    BodyFailed,
    /// The response body was dropped before its end: the client left.
    BodyAbandoned,
}

impl Outcome {
    /// Returns the outcome's name in tags: `completed`, `handler_error`, `panicked`, `cancelled`, `body_failed` or
    /// `body_abandoned`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::HandlerError => "handler_error",
            Self::Panicked => "panicked",
            Self::Cancelled => "cancelled",
            Self::BodyFailed => "body_failed",
            Self::BodyAbandoned => "body_abandoned",
        }
    }

    /// Returns `true` if a request with this outcome and this response status failed. Not a failure: a completed
    /// response, and a handler's error that became a response, with a status below 500.
    ///
    /// This is the default; a policy can have [another rule](crate::HttpTracingBuilder::failure_when) for statuses.
    #[must_use]
    pub fn is_failure(self, status: Option<u16>) -> bool {
        match (self, status) {
            (Self::Completed | Self::HandlerError, Some(status)) => status >= 500,
            (Self::Completed, None) => false,
            _ => true,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The moment when a request's span ends; [`HttpTracingBuilder::ends`](crate::HttpTracingBuilder::ends) sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanEnd {
    /// With the last byte of the response body; for event streams and upgrades with the response head. The default.
    #[default]
    Body,
    /// With the response head, for every response.
    Head,
    /// With the last byte of the response body, for event streams, too.
    EventStream,
}
