use std::time::{Duration, Instant};

use crate::delivery::Diagnostics;

/// The minimum time between two reports.
const QUIET: Duration = Duration::from_secs(60);

/// Decides when losses are reported, and to which policies: the first loss at once, later ones at most once a minute.
#[derive(Debug, Default)]
pub(super) struct Losses {
    listeners: Vec<Diagnostics>,
    /// How many lost spans the last report counted, and its time.
    reported: Option<(u64, Instant)>,
    /// The exporter's last error for a batch that was lost.
    pub(super) cause: Option<String>,
}

impl Losses {
    /// Adds a policy, unless it was added before.
    pub(super) fn attach(&mut self, diagnostics: &Diagnostics) {
        self.listeners
            .retain(|known| !known.is_gone() && !known.is_same(diagnostics));
        self.listeners.push(diagnostics.clone());
    }

    /// Returns the policies to report to after this many losses. If two threads call it at the same time, one of them
    /// gets the policies.
    pub(super) fn due(&mut self, lost: u64, now: Instant) -> Option<Vec<Diagnostics>> {
        let is_due = match self.reported {
            None => lost > 0,
            Some((told, at)) => lost > told && now.saturating_duration_since(at) >= QUIET,
        };
        if !is_due || self.listeners.iter().all(Diagnostics::is_gone) {
            return None;
        }
        self.reported = Some((lost, now));
        Some(self.listeners.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Hook;

    #[test]
    fn the_first_loss_is_reported_at_once_and_totals_once_a_minute() {
        let hook = Hook::new(|_| ());
        let mut losses = Losses::default();
        let start = Instant::now();
        assert!(losses.due(3, start).is_none(), "nobody listens");
        losses.attach(&hook.handle());
        let mut due = |lost, seconds| {
            let now = start + Duration::from_secs(seconds);
            losses.due(lost, now).map(|listeners| listeners.len())
        };
        assert_eq!(due(0, 1), None, "nothing is lost");
        assert_eq!(due(1, 1), Some(1));
        assert_eq!(due(2, 1), None);
        assert_eq!(due(9, 60), None);
        assert_eq!(due(9, 61), Some(1), "what was lost meanwhile");
        assert_eq!(due(9, 500), None, "nothing more");
        assert_eq!(due(10, 500), Some(1));
        assert_eq!(due(11, 559), None);
    }

    #[test]
    fn a_policy_is_added_once_and_removed_after_its_end() {
        let (one, other) = (Hook::new(|_| ()), Hook::new(|_| ()));
        let mut losses = Losses::default();
        for hook in [&one, &other, &one] {
            losses.attach(&hook.handle());
        }
        let start = Instant::now();
        assert_eq!(
            losses.due(1, start).map(|listeners| listeners.len()),
            Some(2)
        );
        drop((one, other));
        assert!(losses.due(2, start + 2 * QUIET).is_none());
    }
}
