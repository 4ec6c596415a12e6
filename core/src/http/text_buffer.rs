//! The text of a request, appended part by part.

use std::fmt;
use std::ops::Range;

use crate::text::prefix;

/// A part of the text buffer.
#[derive(Clone, Copy, Default)]
pub(crate) struct Text {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Text {
    pub(crate) const EMPTY: Self = Self { start: 0, end: 0 };
}

/// Text in one buffer, as bytes: text that is known to be ASCII is appended unchecked, and checked when it is read.
#[derive(Default)]
pub(crate) struct TextBuffer(Vec<u8>);

impl TextBuffer {
    pub(crate) const EMPTY: Self = Self(Vec::new());

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Reserves capacity for this many more bytes, and no more than that if the buffer has to grow.
    pub(crate) fn reserve_exact(&mut self, bytes: usize) {
        self.0.reserve_exact(bytes);
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Appends ASCII text.
    pub(crate) fn push_ascii(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    /// Replaces a part by text.
    pub(crate) fn replace(&mut self, part: Range<usize>, text: &str) {
        if part.start <= part.end && part.end <= self.0.len() {
            self.0.splice(part, text.bytes());
        }
    }

    /// Returns the text; empty text if something that was appended as ASCII is not.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns `true` if this text is at this position.
    pub(crate) fn has(&self, place: Text, text: &str) -> bool {
        let range = place.start as usize..place.end as usize;
        self.0.get(range) == Some(text.as_bytes())
    }

    /// Cuts the text from `start` on to at most `limit` bytes; returns `true` if text was cut.
    pub(crate) fn cut(&mut self, start: usize, limit: usize) -> bool {
        if self.len().saturating_sub(start) <= limit {
            return false;
        }
        let appended = self.0.get(start..).unwrap_or_default();
        let appended = std::str::from_utf8(appended).unwrap_or_default();
        let kept = prefix(appended, limit).len();
        self.0.truncate(start + kept);
        true
    }

    /// Frees capacity beyond the text's length plus `bytes`.
    pub(crate) fn shrink_to_spare(&mut self, bytes: usize) {
        self.0.shrink_to(self.0.len() + bytes);
    }

    /// Removes the text, and keeps at most `kept` bytes of capacity.
    pub(crate) fn clear(&mut self, kept: usize) {
        self.0.clear();
        if self.0.capacity() > kept {
            self.0.shrink_to(kept);
        }
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) fn into_string(self) -> String {
        String::from_utf8(self.0).unwrap_or_default()
    }
}

impl fmt::Write for TextBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}
