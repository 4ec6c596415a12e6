//! Typed tags and log fields.

use std::borrow::Cow;
use std::fmt;

use crate::tag::limits::Limits;
use crate::text::{bound, heap_size};

/// The value of a tag or a log field: what OpenTracing allows, typed.
///
/// Static text is held, never copied.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    Str(Cow<'static, str>),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A floating-point number.
    F64(f64),
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Bool(_) | Self::I64(_) | Self::F64(_) => None,
        }
    }

    /// The number, if it is a whole one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(number) => Some(*number),
            Self::Bool(_) | Self::Str(_) | Self::F64(_) => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::I64(_) | Self::Str(_) | Self::F64(_) => None,
        }
    }

    /// Bounds text as [`bound`] does; returns whether it was cut.
    pub(crate) fn bound(&mut self, limit: usize) -> bool {
        match self {
            Self::Str(text) => bound(text, limit),
            Self::Bool(_) | Self::I64(_) | Self::F64(_) => false,
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::Str(text) => heap_size(text),
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

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Str(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(Cow::Owned(text))
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Str(text)
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

/// A named, typed value on a span, or a field of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The name.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: Value,
}

impl Tag {
    /// Makes a tag.
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

    /// Bounds the value; returns whether it was cut. `None` if the key is too long to be kept at all.
    pub(crate) fn bound(&mut self, limit: usize) -> Option<bool> {
        if self.key.len() > Limits::KEY_BYTES {
            return None;
        }
        bound(&mut self.key, Limits::KEY_BYTES);
        Some(self.value.bound(limit))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        heap_size(&self.key) + self.value.heap_size()
    }
}

impl<K: Into<Cow<'static, str>>, V: Into<Value>> From<(K, V)> for Tag {
    fn from((key, value): (K, V)) -> Self {
        Self::new(key, value)
    }
}
