//! How much one injection may write.

use std::cell::Cell;

use super::Field;
use crate::propagation::carrier::Carrier;

/// Number of separator bytes of a header in HTTP/1: colon, blank, and line end.
const SEPARATORS: usize = 4;

/// How much one injection may still write.
#[derive(Debug, Clone)]
pub(super) struct Room {
    bytes: Cell<usize>,
    headers: Cell<usize>,
    /// Bytes that are reserved for the ids of formats that have not been written yet.
    kept: Cell<usize>,
    /// How many items, members and headers the current format has left out.
    omitted: Cell<u64>,
    /// Whether a header was left out.
    overflown: Cell<bool>,
}

impl Room {
    pub(super) const fn new(bytes: usize, headers: usize) -> Self {
        Self {
            bytes: Cell::new(bytes),
            headers: Cell::new(headers),
            kept: Cell::new(0),
            omitted: Cell::new(0),
            overflown: Cell::new(false),
        }
    }

    /// Returns how many bytes a value of this header may have.
    pub(super) fn left_for(&self, name: &str) -> usize {
        match self.headers.get() {
            0 => 0,
            _ => self.bytes.get().saturating_sub(name.len() + SEPARATORS),
        }
    }

    /// Returns the same, without the bytes that are reserved for the ids of other formats.
    pub(super) fn left_beside_ids_for(&self, name: &str) -> usize {
        self.left_for(name).saturating_sub(self.kept.get())
    }

    pub(super) fn keep(&self, bytes: usize) {
        self.kept.set(bytes);
    }

    /// Returns `true` if less may be left than the ids of a format need.
    pub(super) fn is_tight(&self) -> bool {
        self.bytes.get() < 1024 || self.headers.get() < 12
    }

    pub(super) fn omit(&self, pieces: u64) {
        self.omitted.set(self.omitted.get().saturating_add(pieces));
    }

    /// Returns how many items, members and headers were left out since the last call.
    pub(super) fn take_omitted(&self) -> u64 {
        self.omitted.take()
    }

    pub(super) fn is_overflown(&self) -> bool {
        self.overflown.get()
    }

    fn take(&self, name: &str, value: &str) -> bool {
        let needed = name.len() + value.len() + SEPARATORS;
        let left = self.bytes.get().checked_sub(needed);
        match (left, self.headers.get().checked_sub(1)) {
            (Some(bytes), Some(headers)) => {
                self.bytes.set(bytes);
                self.headers.set(headers);
                true
            }
            _ => {
                self.overflown.set(true);
                self.omit(1);
                false
            }
        }
    }
}

/// A carrier that takes only what there is room for.
pub(super) struct Metered<'a> {
    pub(super) carrier: &'a mut dyn Carrier,
    pub(super) room: &'a Room,
}

impl Carrier for Metered<'_> {
    fn set(&mut self, name: &str, value: &str) {
        if self.room.take(name, value) {
            self.carrier.set(name, value);
        }
    }

    fn append(&mut self, name: &str, value: &str) {
        if self.room.take(name, value) {
            self.carrier.append(name, value);
        }
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        self.carrier.remove_fields(fields);
    }
}
