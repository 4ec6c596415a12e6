//! Typed tags and log fields.

use std::borrow::Cow;
use std::fmt;

use crate::tag::limits::Limits;
use crate::tag::text::Text;
use crate::text::{bound, heap_size};

/// The typed value of a tag or a log field: text, a truth value or a number, as OpenTracing's specification allows.
///
/// [`Span::set_tag`](crate::Span::set_tag) converts every [`TagValue`](crate::TagValue). To create a value directly, use [`From`]:
///
/// ```
/// use opentracing_http::Value;
///
/// assert_eq!(Value::from(7_u64), Value::I64(7));
/// assert_eq!(Value::from(u64::MAX), "18446744073709551615");
///
/// // A value is read by its type:
/// assert_eq!(Value::from("Ada").as_str(), Some("Ada"));
/// assert_eq!(Value::from(7).as_i64(), Some(7));
/// assert_eq!(Value::from(true).as_bool(), Some(true));
/// assert_eq!(Value::from(true).as_str(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    Str(Text),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A floating-point number.
    F64(f64),
}

impl Value {
    /// Returns the text, or `None` for a value of another type. See [`Value`] for an example.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Bool(_) | Self::I64(_) | Self::F64(_) => None,
        }
    }

    /// Returns the whole number, or `None` for a value of another type. See [`Value`] for an example.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(number) => Some(*number),
            Self::Bool(_) | Self::Str(_) | Self::F64(_) => None,
        }
    }

    /// Returns the truth value, or `None` for a value of another type. See [`Value`] for an example.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::I64(_) | Self::Str(_) | Self::F64(_) => None,
        }
    }

    /// Cuts a text to at most `limit` bytes. Returns `true` if it was cut.
    pub(crate) fn bound(&mut self, limit: usize) -> bool {
        match self {
            Self::Str(text) => text.bound(limit),
            Self::Bool(_) | Self::I64(_) | Self::F64(_) => false,
        }
    }

    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::Str(text) => text.heap_size(),
            Self::Bool(_) | Self::I64(_) | Self::F64(_) => 0,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            Self::Bool(truth) => truth.fmt(f),
            Self::I64(number) => number.fmt(f),
            Self::F64(number) => number.fmt(f),
        }
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(other)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Str(text)
    }
}

macro_rules! from_texts {
    ($($text:ty)*) => {$(
        impl From<$text> for Value {
            fn from(text: $text) -> Self {
                Self::Str(text.into())
            }
        }
    )*};
}

from_texts!(&str String Box<str> Cow<'_, str>);

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

impl From<char> for Value {
    fn from(character: char) -> Self {
        Self::from(&*character.encode_utf8(&mut [0; 4]))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::F64(number)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Self {
        Self::F64(number.into())
    }
}

macro_rules! from_whole_numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::I64(number.into())
            }
        }
    )*};
}

from_whole_numbers!(i8 i16 i32 i64 u8 u16 u32);

macro_rules! from_larger_numbers {
    ($($number:ty)*) => {$(
        /// Creates a whole number if it fits in [`i64`], else a text of its digits.
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                match i64::try_from(number) {
                    Ok(number) => Self::I64(number),
                    Err(_) => Self::from(number.to_string()),
                }
            }
        }
    )*};
}

from_larger_numbers!(i128 isize u64 u128 usize);

/// A tag of a span, or a field of a log: a key and a typed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The name of the tag. Longer ones than [`Limits::KEY_BYTES`] are not kept.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: Value,
}

impl Tag {
    /// Creates a tag.
    ///
    /// ```
    /// use opentracing_http::Tag;
    ///
    /// let tag = Tag::new("retries", 3);
    /// assert_eq!(tag.value.as_i64(), Some(3));
    /// ```
    pub fn new(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }

    /// Cuts a text value to at most `limit` bytes. Returns `Some(true)` if it was cut, and `None` if the key is too long to be
    /// kept.
    pub(crate) fn bound(&mut self, limit: usize) -> Option<bool> {
        if self.key.len() > Limits::KEY_BYTES {
            return None;
        }
        bound(&mut self.key, Limits::KEY_BYTES);
        Some(self.value.bound(limit))
    }

    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        heap_size(&self.key) + self.value.heap_size()
    }
}

impl<K: Into<Cow<'static, str>>, V: Into<Value>> From<(K, V)> for Tag {
    fn from((key, value): (K, V)) -> Self {
        Self::new(key, value)
    }
}
