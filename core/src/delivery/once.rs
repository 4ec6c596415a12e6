//! Diagnostics that a policy reports once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::delivery::diagnostics::{Diagnostic, Hook, is_reporting};

/// Whether a diagnostic was reported. Created with `false`.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    /// Returns `true` if the diagnostic was reported.
    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Reports the diagnostic, if none was reported before. Within a hook this does nothing: such a report would be lost, and a
    /// later one from elsewhere is not.
    pub(crate) fn tell(&self, hook: &Arc<Hook>, diagnostic: impl FnOnce() -> Diagnostic) {
        let is_told = self.is_told() || is_reporting();
        if !is_told && !self.0.swap(true, Ordering::Relaxed) {
            hook.handle().tell(&diagnostic());
        }
    }
}
