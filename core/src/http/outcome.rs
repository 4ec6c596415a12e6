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
    /// The response was created, and sent as far as [`SpanEnd`] waits for it. So an event stream whose span ends with its head
    /// is completed, whenever the client leaves it.
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

/// The moment when a request's span ends; [`HttpTracingBuilder::ends`](crate::HttpTracingBuilder::ends) and
/// [`MountPoint::ends`](crate::MountPoint::ends) set it.
///
/// An event stream is a response of the content type `text/event-stream` (server-sent events) whose size is not known. Browsers
/// open event streams with `GET`, keep them for hours and reconnect (WHATWG HTML, section 9.2). The streams that respond to other
/// methods, such as those of LLM and MCP servers, are the result of one call.
///
/// | response | [`Auto`](Self::Auto) | [`Head`](Self::Head) | [`Body`](Self::Body) |
/// |---|---|---|---|
/// | event stream that responds to `GET` | head | head | last byte |
/// | event stream that responds to another method | last byte | head | last byte |
/// | upgrade, such as to a WebSocket | head | head | head |
/// | every other response | last byte | head | last byte |
///
/// If the span ends with the head, the outcome is [`Completed`](Outcome::Completed), and the bytes of the body are not counted.
/// The span stays current while the body is produced, but tags and logs that are set then are
/// [lost and reported](crate::HttpTracing::late_changes).
/// If it ends with the last byte, a client that leaves earlier causes [`BodyAbandoned`](Outcome::BodyAbandoned).
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, SpanEnd};
///
/// // Event streams last for seconds in this service, and their handlers set tags.
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).ends(SpanEnd::Body).build()?;
/// // One mount point has streams that last for hours.
/// let ticker = tracing.mount_point().ends(SpanEnd::Head);
/// # drop(ticker);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanEnd {
    /// With the last byte of the response body, but with the response head for event streams that respond to `GET`. The default.
    #[default]
    Auto,
    /// With the response head, for every response.
    Head,
    /// With the last byte of the response body, for every event stream, too.
    Body,
}
