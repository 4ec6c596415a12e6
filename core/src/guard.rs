//! Calls of code that is not ours: callbacks, hooks, tracers, exporters, `Display`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs code that is not ours. Returns `None` if it panics, which loses its effect and nothing else.
pub(crate) fn guard<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// The number of panics that were caught.
#[derive(Debug, Default)]
pub(crate) struct Panics(AtomicU64);

impl Panics {
    /// As [`guard`]; counts a panic.
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
