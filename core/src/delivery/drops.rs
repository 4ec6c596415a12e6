use std::fmt;

/// Number of spans that a [`Reporter`](crate::report::Reporter) has dropped, by reason.
///
/// Every reported span is delivered, dropped for one of these reasons, or still on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// The queue was full: spans were reported faster than the exporter sent them.
    pub queue_full: u64,
    /// The exporter failed, and all retries were used up.
    pub failed: u64,
    /// The exporter or its backend refused the spans.
    pub rejected: u64,
    /// The exporter panicked.
    pub panicked: u64,
    /// The reporter was shut down before the spans were delivered or before they were reported.
    pub shut_down: u64,
    /// The exporter was sending the spans when the time of a shutdown was over. They stay counted here even if they are
    /// delivered later.
    pub in_flight: u64,
}

impl Drops {
    /// Returns the sum of all reasons; [`on_diagnostic`](crate::HttpTracingBuilder::on_diagnostic) has an example.
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

/// Writes the total and the reasons that are not 0, such as `5 (queue full: 2, rejected: 3)`.
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
