use std::fmt;

/// How many spans a [`Reporter`](crate::report::Reporter) has dropped, by reason.
///
/// What was reported is delivered, dropped for one of these reasons, or still on its way; never two of these.
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
    /// The exporter was sending them when the time of a shutdown was over. Should it deliver them after all, that is not
    /// counted any more.
    pub in_flight: u64,
}

impl Drops {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.queue_full
            + self.failed
            + self.rejected
            + self.panicked
            + self.shut_down
            + self.in_flight
    }

    pub(crate) fn add(&mut self, reason: Reason, spans: usize) {
        let count = match reason {
            Reason::QueueFull => &mut self.queue_full,
            Reason::Failed => &mut self.failed,
            Reason::Rejected => &mut self.rejected,
            Reason::Panicked => &mut self.panicked,
            Reason::ShutDown => &mut self.shut_down,
            Reason::InFlight => &mut self.in_flight,
        };
        *count += spans as u64;
    }
}

/// Shows the total, and the reasons that apply: `5 (queue full: 2, rejected: 3)`.
impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        let reasons = [
            ("queue full", self.queue_full),
            ("failed", self.failed),
            ("rejected", self.rejected),
            ("panicked", self.panicked),
            ("shut down", self.shut_down),
            ("in flight", self.in_flight),
        ];
        let mut before = " (";
        for (reason, spans) in reasons.into_iter().filter(|(_, spans)| *spans > 0) {
            write!(f, "{before}{reason}: {spans}")?;
            before = ", ";
        }
        match self.total() {
            0 => Ok(()),
            _ => f.write_str(")"),
        }
    }
}

/// Why a span is dropped; see [`Drops`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reason {
    QueueFull,
    Failed,
    Rejected,
    Panicked,
    ShutDown,
    InFlight,
}
