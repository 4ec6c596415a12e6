use std::sync::atomic::{AtomicU64, Ordering};

/// How many spans a [`Reporter`](super::Reporter) has dropped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// The queue was full: more was reported than the exporter took.
    pub queue_full: u64,
    /// The exporter failed, and as often as it may be asked again.
    pub failed: u64,
    /// The exporter, or its backend, refused them.
    pub rejected: u64,
    /// The exporter panicked.
    pub panicked: u64,
    /// The reporter was shut down, before they were delivered or before they were reported.
    pub shut_down: u64,
}

impl Drops {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.queue_full + self.failed + self.rejected + self.panicked + self.shut_down
    }
}

/// Why a span is dropped; see [`Drops`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    QueueFull,
    Failed,
    Rejected,
    Panicked,
    ShutDown,
}

/// The running counts.
#[derive(Debug, Default)]
pub(super) struct DropCounters([AtomicU64; 5]);

impl DropCounters {
    pub(super) fn add(&self, reason: Reason, spans: usize) {
        self.0[reason as usize].fetch_add(spans as u64, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Drops {
        let of = |reason: Reason| self.0[reason as usize].load(Ordering::Relaxed);
        Drops {
            queue_full: of(Reason::QueueFull),
            failed: of(Reason::Failed),
            rejected: of(Reason::Rejected),
            panicked: of(Reason::Panicked),
            shut_down: of(Reason::ShutDown),
        }
    }
}
