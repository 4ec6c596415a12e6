//! How much baggage a format reads or writes.

use crate::context::Baggage;

/// The bytes of baggage that one format may still read or write, counted as they stand in the headers: what a caller
/// sends is bounded before it is decoded, and so is what a receiver will have to read.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Baggage::MAX_BYTES)
    }

    /// The same where there is less room.
    pub(super) fn of(room: usize) -> Self {
        Self(room.min(Baggage::MAX_BYTES))
    }

    /// Takes the bytes of one item; answers `false`, and takes nothing, if they are no longer there.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}
