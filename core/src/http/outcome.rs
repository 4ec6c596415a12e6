//! How a request ended.

use std::fmt;

/// How a request ended: every request ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The response was made, and sent as far as the policy waits for it.
    Completed,
    /// The handler's error reached the tracing layer instead of a response.
    HandlerError,
    /// The handler or the response body panicked.
    Panicked,
    /// The request was dropped before it had a response: the client left, or a timeout outside the tracing layer struck.
    Cancelled,
    /// The response body ended in an error.
    BodyFailed,
    /// The response body was dropped before its end: the client left.
    BodyAbandoned,
}

impl Outcome {
    /// The outcome's name in tags: `completed`, `handler_error`, `panicked`, `cancelled`, `body_failed` or
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

    /// Whether a request that ended so with this status failed: everything but a completed response, and a handler's
    /// error that became a response, below status 500.
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

/// When a request's span ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanEnd {
    /// With the last byte of the body; event streams and upgrades with the response head. The default.
    #[default]
    Body,
    /// With the response head, always.
    Head,
    /// With the last byte of the body, also of an event stream.
    EventStream,
}
