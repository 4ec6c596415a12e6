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

/// What can be logged: one event's name, or fields.
///
/// ```
/// use opentracing_http::{Span, Tag};
///
/// let span = Span::current();
/// span.log("cache miss");
/// span.log([("event", "retry"), ("reason", "timeout")]);
/// span.log([Tag::new("event", "retry"), Tag::new("attempt", 2)]);
/// ```
pub trait LogFields {
    /// The fields.
    fn into_fields(self) -> impl Iterator<Item = Tag>;
}

/// The field `event`.
impl LogFields for &'static str {
    fn into_fields(self) -> impl Iterator<Item = Tag> {
        std::iter::once(Tag::new("event", self))
    }
}

/// The field `event`.
impl LogFields for String {
    fn into_fields(self) -> impl Iterator<Item = Tag> {
        std::iter::once(Tag::new("event", self))
    }
}

impl<T: Into<Tag>, const N: usize> LogFields for [T; N] {
    fn into_fields(self) -> impl Iterator<Item = Tag> {
        self.into_iter().map(Into::into)
    }
}

impl<T: Into<Tag>> LogFields for Vec<T> {
    fn into_fields(self) -> impl Iterator<Item = Tag> {
        self.into_iter().map(Into::into)
    }
}
