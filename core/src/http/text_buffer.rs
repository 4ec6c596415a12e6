//! The text of a request, appended piece by piece.

use std::fmt;
use std::ops::Range;

use crate::text::prefix;

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

    /// Appends what is ASCII; a piece with anything else in it is read as nothing.
    pub(crate) fn push_ascii(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    /// Puts text in the place of a part.
    pub(crate) fn replace(&mut self, part: Range<usize>, text: &str) {
        if part.start <= part.end && part.end <= self.0.len() {
            self.0.splice(part, text.bytes());
        }
    }

    pub(crate) fn get(&self, part: Range<usize>) -> &str {
        let bytes = self.0.get(part).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Cuts what was appended from `start` on to at most `limit` bytes; returns whether that was necessary.
    pub(crate) fn cut(&mut self, start: usize, limit: usize) -> bool {
        if self.len().saturating_sub(start) <= limit {
            return false;
        }
        let kept = prefix(self.get(start..self.len()), limit).len();
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
