//! Sets of tags and of log fields, and the types that they can be written as.

use std::borrow::Cow;
use std::fmt;

use crate::guard::Panics;
use crate::tag::conversion::TagValue;
use crate::tag::limits::Limits;
use crate::tag::value::Tag;

/// The fields of a log, as [`Span::log`](crate::Span::log) takes them.
///
/// Implemented for:
///
/// - text, also as `format_args!("…")`: it becomes the field `event`
/// - an array, a slice or a [`Vec`] of pairs of key and value, or of [`Tag`]s
/// - a tuple of up to twelve pairs, whose values can have different types
///
/// A value that is [`None`] is left out; see [`TagValue`] for the types of values.
///
/// ```
/// use opentracing_http::Span;
///
/// let (span, attempt) = (Span::current(), 2);
/// span.log("cache miss");
/// span.log([("event", "retry"), ("reason", "timeout")]);
/// span.log((("event", "retry"), ("attempt", attempt), ("final", false)));
/// ```
///
/// A type of your own:
///
/// ```
/// use opentracing_http::values::TagWriter;
/// use opentracing_http::{LogFields, Span};
///
/// struct Retry<'a> {
///     attempt: u32,
///     reason: &'a str,
/// }
///
/// impl LogFields for Retry<'_> {
///     fn write(self, fields: &mut TagWriter<'_>) {
///         fields.add("event", "retry");
///         fields.add("attempt", self.attempt);
///         fields.add("reason", self.reason);
///     }
/// }
///
/// Span::current().log(Retry { attempt: 2, reason: "timeout" });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be logged",
    label = "neither an event's name nor fields",
    note = "write a name, `span.log(\"retry\")`, or pairs: `[(\"reason\", a), (\"cause\", b)]` of one type, `((\"event\", \"retry\"), (\"attempt\", 2))` of several",
    note = "one pair is written `[(\"event\", \"retry\")]`; an iterator is collected into a `Vec`"
)]
pub trait LogFields {
    /// Adds the fields to `fields`. See [`LogFields`] for an example.
    ///
    /// Called on the thread that logs, before the span is locked, and only if the log is kept.
    fn write(self, fields: &mut TagWriter<'_>);
}

/// A set of tags, as [`Span::set_tags`](crate::Span::set_tags) takes it.
///
/// Implemented for:
///
/// - an array, a slice or a [`Vec`] of pairs of key and value, or of [`Tag`]s
/// - a tuple of up to twelve pairs, whose values can have different types
///
/// A value that is [`None`] is left out; see [`TagValue`] for the types of values.
///
/// A type of your own:
///
/// ```
/// use opentracing_http::Span;
/// use opentracing_http::values::{TagWriter, Tags};
///
/// struct Order {
///     id: u64,
///     customer: String,
/// }
///
/// impl Tags for &Order {
///     fn write(self, tags: &mut TagWriter<'_>) {
///         tags.add("order.id", self.id);
///         tags.add("order.customer", &self.customer);
///     }
/// }
///
/// Span::current().set_tags(&Order { id: 7, customer: "Ada".to_owned() });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of tags",
    label = "not a set of tags",
    note = "write pairs: `[(\"from\", a), (\"to\", b)]` with values of one type, `((\"items\", 3), (\"user\", name))` of several",
    note = "one pair is written `[(\"items\", 3)]`; an iterator is collected into a `Vec`"
)]
pub trait Tags {
    /// Adds the tags to `tags`. See [`Tags`] for an example.
    ///
    /// Called on the thread that sets them, before the span is locked.
    fn write(self, tags: &mut TagWriter<'_>);
}

/// One tag or one field: a pair of key and value, or a [`Tag`].
///
/// ```
/// use opentracing_http::Span;
/// use opentracing_http::values::{IntoTag, TagWriter};
///
/// struct Attempt(u32);
///
/// impl IntoTag for Attempt {
///     fn write(self, tags: &mut TagWriter<'_>) {
///         tags.add("attempt", self.0);
///     }
/// }
///
/// Span::current().log([Attempt(2)]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a pair of key and value",
    label = "not a pair of key and value",
    note = "a pair is written `(\"key\", value)`, where the key is `&'static str` or `String`; one pair alone is written `[(\"key\", value)]`"
)]
pub trait IntoTag {
    /// Adds the tag to `tags`. See [`IntoTag`] for an example.
    fn write(self, tags: &mut TagWriter<'_>);
}

/// Collects the tags of one [`Span::set_tags`](crate::Span::set_tags), or the fields of one
/// [`Span::log`](crate::Span::log). See [`LogFields`] for an example.
#[derive(Debug)]
pub struct TagWriter<'a> {
    tags: Vec<Tag>,
    /// The largest number of tags to keep.
    max_tags: usize,
    omitted: u32,
    max_bytes: usize,
    /// If set, the only key that is kept: `sampling.priority`, for a span that is not recorded.
    only: Option<&'static str>,
    panics: &'a Panics,
}

impl<'a> TagWriter<'a> {
    /// Creates a writer that keeps at most `max_tags` tags.
    pub(crate) fn new(max_tags: usize, limits: &Limits, panics: &'a Panics) -> Self {
        Self {
            tags: Vec::new(),
            max_tags,
            omitted: 0,
            max_bytes: limits.useful_bytes(),
            only: None,
            panics,
        }
    }

    /// Makes the writer ignore tags with any other key.
    pub(crate) fn only(mut self, key: &'static str) -> Self {
        self.only = Some(key);
        self
    }

    /// Returns the tags that were kept, and the number of those that were left out because there were too many.
    pub(crate) fn finish(self) -> (Vec<Tag>, u32) {
        (self.tags, self.omitted)
    }

    /// Adds a tag or a field, unless its value is [`None`]. See [`LogFields`] for an example.
    ///
    /// A conversion that panics adds nothing.
    pub fn add(&mut self, key: impl Into<Cow<'static, str>>, value: impl TagValue) {
        let key = key.into();
        if self.only.is_some_and(|only| only != key) {
            return;
        }
        if self.tags.len() >= self.max_tags {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let max_bytes = self.max_bytes;
        let value = self.panics.guard(|| value.into_value(max_bytes));
        if let Some(value) = value.flatten() {
            self.tags.push(Tag { key, value });
        }
    }

    /// Reserves room for `more` tags, so that the vector is allocated once.
    fn reserve(&mut self, more: usize) {
        if self.only.is_none() {
            let room = self.max_tags.saturating_sub(self.tags.len());
            self.tags.reserve_exact(more.min(room));
        }
    }

    fn add_all<T: IntoTag>(&mut self, tags: impl ExactSizeIterator<Item = T>) {
        self.reserve(tags.len());
        tags.for_each(|tag| tag.write(self));
    }
}

impl<K: Into<Cow<'static, str>>, V: TagValue> IntoTag for (K, V) {
    fn write(self, tags: &mut TagWriter<'_>) {
        tags.add(self.0, self.1);
    }
}

impl IntoTag for Tag {
    fn write(self, tags: &mut TagWriter<'_>) {
        tags.add(self.key, self.value);
    }
}

impl<K: Into<Cow<'static, str>> + Clone, V: TagValue> IntoTag for &(K, V) {
    fn write(self, tags: &mut TagWriter<'_>) {
        tags.add(self.0.clone(), &self.1);
    }
}

impl IntoTag for &Tag {
    fn write(self, tags: &mut TagWriter<'_>) {
        tags.add(self.key.clone(), &self.value);
    }
}

/// Implements a trait for arrays, vectors and slices: each set of tags can also be the fields of a log.
macro_rules! list {
    ($trait:ident) => {
        impl<T: IntoTag, const N: usize> $trait for [T; N] {
            fn write(self, tags: &mut TagWriter<'_>) {
                tags.add_all(self.into_iter());
            }
        }

        impl<T: IntoTag> $trait for Vec<T> {
            fn write(self, tags: &mut TagWriter<'_>) {
                tags.add_all(self.into_iter());
            }
        }

        impl<'a, T> $trait for &'a [T]
        where
            &'a T: IntoTag,
        {
            fn write(self, tags: &mut TagWriter<'_>) {
                tags.add_all(self.iter());
            }
        }

        impl<'a, T, const N: usize> $trait for &'a [T; N]
        where
            &'a T: IntoTag,
        {
            fn write(self, tags: &mut TagWriter<'_>) {
                tags.add_all(self.iter());
            }
        }

        impl<'a, T> $trait for &'a Vec<T>
        where
            &'a T: IntoTag,
        {
            fn write(self, tags: &mut TagWriter<'_>) {
                tags.add_all(self.iter());
            }
        }
    };
}

list!(Tags);
list!(LogFields);

macro_rules! tuples {
    ($(($($tag:ident)*))*) => {$(
        tuples! { Tags; $($tag)* }
        tuples! { LogFields; $($tag)* }
    )*};
    ($trait:ident; $($tag:ident)*) => {
        impl<$($tag: IntoTag),*> $trait for ($($tag,)*) {
            #[allow(non_snake_case, reason = "a type and its value have one name")]
            fn write(self, tags: &mut TagWriter<'_>) {
                let ($($tag,)*) = self;
                tags.reserve([$(stringify!($tag)),*].len());
                $($tag.write(tags);)*
            }
        }
    };
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
}

macro_rules! events {
    ($($text:ty)*) => {$(
        /// Adds the text as the field `event`.
        impl LogFields for $text {
            fn write(self, fields: &mut TagWriter<'_>) {
                fields.reserve(1);
                fields.add("event", self);
            }
        }
    )*};
}

events!(&str &String String Cow<'_, str> fmt::Arguments<'_>);
