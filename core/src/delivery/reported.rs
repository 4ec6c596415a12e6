//! Which diagnostics of a policy have been reported.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::delivery::{Diagnostic, Hook};

/// The diagnostics that a policy reports once.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// [`Diagnostic::PeerUnknown`].
    pub(crate) peer: Once,
    /// [`Diagnostic::RouteUnknown`].
    pub(crate) route: Once,
    /// The remedy of that one, as an adapter has given it first.
    pub(crate) route_remedy: OnceLock<&'static str>,
}

/// Whether a diagnostic has been reported.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) fn is_reported(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Reports the diagnostic, if this is the first call. Called without a lock, because the hook is foreign code.
    pub(crate) fn report(&self, hook: &std::sync::Arc<Hook>, diagnostic: &Diagnostic) {
        if !self.0.swap(true, Ordering::Relaxed) {
            hook.handle().tell(diagnostic);
        }
    }
}
