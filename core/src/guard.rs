//! Calls of foreign code: callbacks, hooks, tracers, exporters, `Display`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs foreign code. Returns `None` if it panics; only that call's effect is lost.
pub(crate) fn guard<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// Number of panics that were caught.
#[derive(Debug, Default)]
pub(crate) struct Panics(AtomicU64);

impl Panics {
    /// Runs foreign code as [`guard`] does, and counts a panic.
    pub(crate) fn guard<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        let result = guard(f);
        if result.is_none() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
