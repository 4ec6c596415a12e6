//! A limit for the baggage that one format reads or writes.

use crate::context::Baggage;

/// The bytes of baggage that one format may still read or write, counted as they are in the headers. So a caller's
/// baggage is limited before it is decoded, and what is written is limited for the receiver.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Baggage::MAX_BYTES)
    }

    /// Creates the same limit, or `room` if that is less.
    pub(super) fn of(room: usize) -> Self {
        Self(room.min(Baggage::MAX_BYTES))
    }

    /// Takes the bytes of one item. Returns `false` and takes nothing if fewer are left.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}
