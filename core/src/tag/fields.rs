//! What can be set or logged at once.

use std::borrow::Cow;
use std::fmt;

use crate::guard::Panics;
use crate::tag::conversion::TagValue;
use crate::tag::limits::Limits;
use crate::tag::value::Tag;

/// What can be logged: one event's name, or fields.
///
/// - text, also as `format_args!("…")`: the field `event`
/// - an array, a slice or a [`Vec`] of pairs of key and value, or of [`Tag`]s
/// - a tuple of up to twelve pairs, whose values can have different types
///
/// A value that is [`None`] is left out; see [`TagValue`] for what values can be.
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
/// Fields of your own:
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
    /// Adds the fields.
    fn write(self, fields: &mut TagWriter<'_>);
}

/// What [`Span::set_tags`](crate::Span::set_tags) takes.
///
/// - an array, a slice or a [`Vec`] of pairs of key and value, or of [`Tag`]s
/// - a tuple of up to twelve pairs, whose values can have different types
///
/// A value that is [`None`] is left out; see [`TagValue`] for what values can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of tags",
    label = "not a set of tags",
    note = "write pairs: `[(\"from\", a), (\"to\", b)]` with values of one type, `((\"items\", 3), (\"user\", name))` of several",
    note = "one pair is written `[(\"items\", 3)]`; an iterator is collected into a `Vec`"
)]
pub trait Tags {
    /// Adds the tags.
    fn write(self, tags: &mut TagWriter<'_>);
}

/// What can be one tag or one field: a pair of key and value, or a [`Tag`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a pair of key and value",
    label = "not a pair of key and value",
    note = "a pair is written `(\"key\", value)`, where the key is `&'static str` or `String`; one pair alone is written `[(\"key\", value)]`"
)]
pub trait IntoTag {
    /// Adds the tag.
    fn write(self, tags: &mut TagWriter<'_>);
}

/// Receives the tags or fields that are set or logged at once.
#[derive(Debug)]
pub struct TagWriter<'a> {
    tags: Vec<Tag>,
    /// How many are kept.
    max_tags: usize,
    omitted: u32,
    max_bytes: usize,
    /// Of a span that is not recorded, the one key that matters.
    only: Option<&'static str>,
    panics: &'a Panics,
}

impl<'a> TagWriter<'a> {
    /// Keeps at most `max_tags`.
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

    /// Keeps only tags with this key.
    pub(crate) fn only(mut self, key: &'static str) -> Self {
        self.only = Some(key);
        self
    }

    /// Returns what was kept, and how many were not because there were too many.
    pub(crate) fn finish(self) -> (Vec<Tag>, u32) {
        (self.tags, self.omitted)
    }

    /// Adds a tag or a field, unless its value is [`None`].
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

    /// Makes room for as many more, so that nothing is allocated twice.
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

/// What is a set of tags is also fields.
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
        /// The field `event`.
        impl LogFields for $text {
            fn write(self, fields: &mut TagWriter<'_>) {
                fields.reserve(1);
                fields.add("event", self);
            }
        }
    )*};
}

events!(&str &String String Cow<'_, str> fmt::Arguments<'_>);
