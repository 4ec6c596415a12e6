//! The text of a request, appended piece by piece.

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

/// Text in one buffer, as bytes: so that what is known to be ASCII is appended without a second look, and looked at when it is
/// read.
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

    /// Has room for so many more bytes, and no more than that if it has to grow.
    pub(crate) fn reserve_exact(&mut self, bytes: usize) {
        self.0.reserve_exact(bytes);
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Appends what is ASCII.
    pub(crate) fn push_ascii(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    /// Puts text in the place of a part.
    pub(crate) fn replace(&mut self, part: Range<usize>, text: &str) {
        if part.start <= part.end && part.end <= self.0.len() {
            self.0.splice(part, text.bytes());
        }
    }

    /// The text; nothing, if anything that was appended as ASCII is none.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns whether this stands at that place.
    pub(crate) fn has(&self, place: Text, text: &str) -> bool {
        let range = place.start as usize..place.end as usize;
        self.0.get(range) == Some(text.as_bytes())
    }

    /// Cuts what was appended from `start` on to at most `limit` bytes; returns whether that was necessary.
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

    /// Gives back room beyond this much more than there is in it.
    pub(crate) fn shrink_to_spare(&mut self, bytes: usize) {
        self.0.shrink_to(self.0.len() + bytes);
    }

    /// Forgets the text, and keeps at most so much room.
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
