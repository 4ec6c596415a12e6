//! Timed events of a span.

use std::time::SystemTime;

use crate::tag::value::Tag;

/// A timed event of a span, with typed fields. [`FinishedSpan::logs`](crate::FinishedSpan::logs) returns them.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// When the event happened: the time of the call of [`Span::log`](crate::Span::log), or the one given to
    /// [`Span::log_at`](crate::Span::log_at).
    pub time: SystemTime,
    /// The fields that describe the event. OpenTracing's semantic conventions name the fields `event`, `message`, `error.kind`, `error.object`
    /// and `stack`.
    pub fields: Vec<Tag>,
}
