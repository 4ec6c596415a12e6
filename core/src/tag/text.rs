//! The text of a value: stored inline, in a buffer of its own, or as a reference to static text.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use compact_str::CompactString;

use crate::text::{BoundedText, has_spare_room, prefix};

/// The text of a [`Value`](crate::Value), cheap to make and to clone.
///
/// Up to 24 bytes are stored inline (on 64-bit systems). Longer text is copied from a `&str`, and the buffer of a [`String`] is
/// reused. [`from_static`](Self::from_static) refers to text of any length and never allocates.
///
/// ```
/// use opentracing_http::Value;
/// use opentracing_http::values::Text;
///
/// let name = String::from("Ada");
/// let text = Text::from(&*name);
/// assert_eq!(text, "Ada");
/// assert_eq!(text.len(), 3); // every method of `str`
/// assert_eq!(Value::from(text).as_str(), Some("Ada"));
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(CompactString);

impl Text {
    /// Creates a value that refers to static text of any length. This never allocates.
    ///
    /// ```
    /// use opentracing_http::Span;
    /// use opentracing_http::values::Text;
    ///
    /// const RULE: Text = Text::from_static("orders above the limit need an approval");
    /// Span::current().set_tag("rule", RULE);
    /// ```
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(CompactString::const_new(text))
    }

    /// Returns the text.
    ///
    /// ```
    /// use opentracing_http::values::Text;
    ///
    /// assert_eq!(Text::from("Ada").as_str(), "Ada");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first `limit` bytes of what `shown` displays, and `true` if there was more.
    pub(crate) fn shown(shown: &dyn fmt::Display, limit: usize) -> (Self, bool) {
        let BoundedText { text, is_cut, .. } = BoundedText::of(shown, limit);
        (Self(text), is_cut)
    }

    /// Cuts the text to at most `limit` bytes, at a character's boundary, and frees memory that the text does not need.
    /// Returns `true` if the text was cut.
    pub(crate) fn bound(&mut self, limit: usize) -> bool {
        if self.len() > limit {
            self.0 = match self.0.as_static_str() {
                Some(text) => CompactString::const_new(prefix(text, limit)),
                None => CompactString::new(prefix(&self.0, limit)),
            };
            return true;
        }
        if self.0.is_heap_allocated() && has_spare_room(self.0.capacity(), self.len()) {
            self.0.shrink_to_fit();
        }
        false
    }

    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        match self.0.is_heap_allocated() {
            true => self.0.capacity(),
            false => 0,
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

/// Copies the text: up to 24 bytes inline, longer text into a buffer of its own.
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// Reuses the buffer. Up to 24 bytes are copied inline instead, and the buffer is freed.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Reuses the buffer. Up to 24 bytes are copied inline instead, and the buffer is freed.
impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self(text.into())
    }
}

/// Copies borrowed text, and reuses the buffer of owned text.
impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// Reuses the buffer if there is one, else copies the text.
impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into()
    }
}

/// Borrows static text of more than 24 bytes; other text becomes a [`String`].
impl From<Text> for Cow<'static, str> {
    fn from(text: Text) -> Self {
        match text.0.as_static_str() {
            Some(text) => Self::Borrowed(text),
            None => Self::Owned(text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "a text that is longer than what is held inline";

    #[test]
    fn static_text_is_held_at_any_length() {
        let mut text = Text::from_static(LONG);
        assert_eq!((text.heap_size(), text.clone().heap_size()), (0, 0));
        assert!(text.bound(40));
        assert_eq!((&*text, text.heap_size()), (&LONG[..40], 0));
        assert!(matches!(Cow::from(text), Cow::Borrowed(_)));
    }

    #[test]
    fn short_text_is_held_inline_wherever_it_comes_from() {
        for text in [
            Text::from("24 bytes are held inline"),
            Text::from("24 bytes are held inline".to_owned()),
            Text::from(Box::<str>::from("24 bytes are held inline")),
        ] {
            assert_eq!((text.len(), text.heap_size()), (24, 0));
        }
    }

    #[test]
    fn buffer_of_a_long_string_is_taken_over_and_handed_over() {
        let string = LONG.to_owned();
        let address = string.as_ptr();
        let text = Text::from(string);
        assert_eq!(text.heap_size(), LONG.len());
        let string = String::from(text);
        assert_eq!(string.as_ptr(), address);
    }

    #[test]
    fn cut_text_ends_at_a_characters_boundary_and_keeps_no_room() {
        let mut text = Text::from("é".repeat(1000));
        assert!(text.bound(101));
        assert_eq!((text.len(), text.heap_size()), (100, 100));
        let mut roomy = String::with_capacity(1000);
        roomy.push_str(LONG);
        let mut text = Text::from(roomy);
        assert!(!text.bound(4096));
        assert_eq!(text.heap_size(), LONG.len());
    }
}
