//! Timed events of a span.

use std::time::SystemTime;

use crate::tag::value::Tag;

/// A timed event of a span, with one or more typed fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// When it happened.
    pub time: SystemTime,
    /// What happened: OpenTracing's field names are `event`, `message`, `error.kind`, `error.object` and `stack`.
    pub fields: Vec<Tag>,
}
