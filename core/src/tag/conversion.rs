//! The types that can be the value of a tag.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use crate::tag::text::Text;
use crate::tag::value::Value;
use crate::text::prefix;

/// A type that can be the value of a tag or of a log's field.
///
/// Implemented for:
///
/// - every integer: a whole number if it fits in [`i64`], else its digits as text
/// - [`f32`], [`f64`], [`bool`], [`char`]
/// - text of any lifetime: `&str`, [`String`], `&String`, `Cow<str>`, `Box<str>`, `Arc<str>`, [`Text`]
/// - [`fmt::Arguments`], so `format_args!("{a}/{b:?}")`
/// - addresses ([`IpAddr`], [`SocketAddr`] and their parts)
/// - [`Option`] of any of them: [`None`] sets nothing, and a tag with the same key stays
/// - anything else that has [`Display`](fmt::Display), by [`Value::display`]
/// - references to all of them
///
/// The conversion runs only if the value is needed: not for a span that is not recorded, unless the key is `sampling.priority`.
/// It runs on the calling thread, before the span is locked. If it panics, the tag is left out, and the panic is
/// [counted](crate::HttpTracing::caught_panics).
///
/// ```
/// use std::fmt;
///
/// use opentracing_http::{HttpTracing, InMemoryTracer, TagValue, Value};
///
/// struct OrderId(u64);
///
/// impl TagValue for OrderId {
///     fn to_value(&self, _: usize) -> Option<Value> {
///         Some(self.0.into())
///     }
/// }
///
/// let tracer = InMemoryTracer::new();
/// let span = HttpTracing::new(tracer.clone()).span("order").start();
/// let (name, items) = (String::from("Ada"), ["tea", "milk"]);
/// span.set_tag("order", OrderId(7));
/// span.set_tag("user", &*name);
/// span.set_tag("items", items.len());
/// span.set_tag("coupon", None::<&str>);
/// span.set_tag("total", Value::display(format_args!("{:.2}", 4.5)));
/// span.finish();
///
/// let span = &tracer.finished()[0];
/// assert_eq!(span.tag("order"), Some(Value::I64(7)));
/// assert_eq!(span.tag("coupon"), None);
/// assert_eq!(span.tag("total").unwrap(), "4.50");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a tag",
    label = "not a value of a tag",
    note = "for a type that implements `Display`, write `Value::display(&x)`; for one that implements `Debug` only, `format_args!(\"{{x:?}}\")`",
    note = "for a type of your own, implement `TagValue`"
)]
pub trait TagValue {
    /// Returns the value, or [`None`] to set nothing. See [`TagValue`] for an example.
    ///
    /// `max_bytes` is the number of bytes of a text that can be used. A longer text is allowed; it is cut afterwards.
    fn to_value(&self, max_bytes: usize) -> Option<Value>;

    /// Returns the value as [`to_value`](Self::to_value) does, and may reuse a buffer of `self`. The default calls `to_value`.
    ///
    /// ```
    /// use opentracing_http::{TagValue, Value};
    ///
    /// struct UserName(String);
    ///
    /// impl TagValue for UserName {
    ///     fn to_value(&self, max_bytes: usize) -> Option<Value> {
    ///         self.0.to_value(max_bytes)
    ///     }
    ///     fn into_value(self, max_bytes: usize) -> Option<Value> {
    ///         self.0.into_value(max_bytes) // does not copy the text
    ///     }
    /// }
    ///
    /// assert_eq!(UserName("Ada".to_owned()).into_value(100).unwrap(), "Ada");
    /// ```
    fn into_value(self, max_bytes: usize) -> Option<Value>
    where
        Self: Sized,
    {
        self.to_value(max_bytes)
    }
}

impl<T: TagValue + ?Sized> TagValue for &T {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        (**self).to_value(max_bytes)
    }
}

impl<T: TagValue + ?Sized> TagValue for &mut T {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        (**self).to_value(max_bytes)
    }
}

impl<T: TagValue + ?Sized> TagValue for Arc<T> {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        (**self).to_value(max_bytes)
    }
}

/// [`None`] sets nothing, and a tag with the same key keeps its value.
impl<T: TagValue> TagValue for Option<T> {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        self.as_ref()?.to_value(max_bytes)
    }

    fn into_value(self, max_bytes: usize) -> Option<Value> {
        self?.into_value(max_bytes)
    }
}

impl TagValue for str {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        Some(prefix(self, max_bytes).into())
    }
}

impl TagValue for Cow<'_, str> {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        (**self).to_value(max_bytes)
    }

    fn into_value(self, max_bytes: usize) -> Option<Value> {
        match self {
            Cow::Borrowed(text) => text.to_value(max_bytes),
            Cow::Owned(text) => Some(text.into()),
        }
    }
}

macro_rules! owned_texts {
    ($($text:ty)*) => {$(
        impl TagValue for $text {
            fn to_value(&self, max_bytes: usize) -> Option<Value> {
                (**self).to_value(max_bytes)
            }

            fn into_value(self, _: usize) -> Option<Value> {
                Some(self.into())
            }
        }
    )*};
}

owned_texts!(String Box<str>);

macro_rules! cloned {
    ($($value:ty)*) => {$(
        impl TagValue for $value {
            fn to_value(&self, _: usize) -> Option<Value> {
                Some(self.clone().into())
            }

            fn into_value(self, _: usize) -> Option<Value> {
                Some(self.into())
            }
        }
    )*};
}

cloned!(Value Text);

macro_rules! copied {
    ($($value:ty)*) => {$(
        impl TagValue for $value {
            fn to_value(&self, _: usize) -> Option<Value> {
                Some((*self).into())
            }
        }
    )*};
}

copied!(bool char f32 f64 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

macro_rules! displayed {
    ($($value:ty)*) => {$(
        impl TagValue for $value {
            fn to_value(&self, max_bytes: usize) -> Option<Value> {
                shown(self, max_bytes)
            }
        }
    )*};
}

displayed! {
    fmt::Arguments<'_>
    IpAddr Ipv4Addr Ipv6Addr SocketAddr SocketAddrV4 SocketAddrV6
}

/// A value whose text is created by [`Display`](fmt::Display) when it is needed; [`Value::display`] creates one.
#[derive(Debug, Clone, Copy)]
pub struct DisplayValue<T>(T);

impl<T: fmt::Display> TagValue for DisplayValue<T> {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        shown(&self.0, max_bytes)
    }
}

impl Value {
    /// Creates the value of a tag from anything that implements [`Display`](fmt::Display).
    ///
    /// Its text is created when the tag is set, and only if the span is recorded. At most
    /// [`Limits::value_bytes`](crate::Limits::value_bytes) bytes of it are kept.
    ///
    /// ```
    /// use opentracing_http::{Span, Value};
    ///
    /// let method = http::Method::GET;
    /// Span::current().set_tag("asked", Value::display(&method));
    /// ```
    pub const fn display<T: fmt::Display>(value: T) -> DisplayValue<T> {
        DisplayValue(value)
    }
}

/// Returns the first `max_bytes` bytes of what `value` displays.
fn shown(value: &dyn fmt::Display, max_bytes: usize) -> Option<Value> {
    let (text, _) = Text::shown(value, max_bytes);
    Some(text.into())
}
