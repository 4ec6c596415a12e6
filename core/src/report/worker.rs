use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::delivery::Reason;
use crate::guard::guard;
use crate::report::exporter::{ExportError, Exporter};
use crate::report::shared::{Next, Shared};
use crate::span::{FinishedSpan, PolicyId, pool, suppression};
use crate::text::BoundedText;

pub(super) type OnError = Box<dyn Fn(&ExportError) + Send>;

/// How often a batch is offered again, and with what pauses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retries {
    pub(super) count: u32,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
    /// The time after the first attempt in which it is offered again; `None` for no limit.
    pub(super) time: Option<Duration>,
}

/// The work of the reporter's thread.
pub(super) struct Worker<E> {
    pub(super) shared: Arc<Shared>,
    pub(super) exporter: E,
    pub(super) batch_interval: Duration,
    pub(super) retries: Retries,
    pub(super) on_error: Option<OnError>,
    /// The policies of the last spans. Spans of these policies that the exporter starts are not recorded.
    pub(super) policies: Vec<PolicyId>,
}

/// A reporter is seldom shared by more policies than this.
const MOST_POLICIES: usize = 16;

impl<E: Exporter> Worker<E> {
    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            match self.shared.next_batch(self.batch_interval, &mut batch) {
                Next::Send => self.send(&mut batch),
                Next::Idle => self.shared.report_losses(),
                Next::Stop => break,
            }
            pool::trim(Instant::now());
        }
        let Self {
            shared,
            mut exporter,
            policies,
            ..
        } = self;
        suppression::suppress_all(&policies, || {
            guard(|| exporter.shutdown());
            guard(|| drop(exporter));
        });
        shared.stop();
    }

    fn send(&mut self, batch: &mut Vec<FinishedSpan>) {
        for policy in batch.iter().filter_map(FinishedSpan::policy) {
            if !self.policies.contains(&policy) {
                if self.policies.len() == MOST_POLICIES {
                    self.policies.remove(0);
                }
                self.policies.push(policy);
            }
        }
        suppression::suppress_all(&self.policies.clone(), || self.deliver(batch));
        // Reported before the spans are dropped: the last of them may drop its policy.
        self.shared.report_losses();
        // Dropped before the batch is settled: a thread that has flushed may rely on the spans being dropped.
        guard(|| batch.clear());
        self.shared.settle();
    }

    /// Delivers a batch; drops and counts the spans that cannot be delivered.
    fn deliver(&mut self, batch: &[FinishedSpan]) {
        let mut left = batch;
        let mut retries = 0;
        let mut until = self.retries.until();
        let (reason, error) = loop {
            let error = match self.export(left) {
                Some(Ok(())) => return,
                Some(Err(error)) => error,
                None => break (Reason::Panicked, None),
            };
            if let Some(on_error) = &self.on_error {
                guard(|| on_error(&error));
            }
            left = left.get(error.delivered..).unwrap_or_default();
            if left.is_empty() {
                return;
            }
            if error.retry && error.refused > 0 {
                let cause = guard(|| shown(&error));
                self.shared
                    .lose_part(Reason::Rejected, error.refused, cause);
                left = left.get(error.refused..).unwrap_or_default();
                if left.is_empty() {
                    return;
                }
            }
            if !error.retry {
                break (Reason::Rejected, Some(error));
            }
            // A backend that accepts a part in each attempt is working.
            if error.delivered > 0 || error.refused > 0 {
                retries = 0;
                until = self.retries.until();
            }
            let pause = self.retries.pause(retries, &error);
            if retries == self.retries.count || is_over(until, pause) {
                break (Reason::Failed, Some(error));
            }
            if !self.shared.pause(pause, error.after.is_some()) {
                break (Reason::ShutDown, Some(error));
            }
            retries += 1;
        };
        // The error may be of the exporter's own type.
        let cause = error.and_then(|error| guard(|| shown(&error)));
        self.shared.lose_batch(reason, cause);
    }

    /// Calls the exporter, and counts the delivered spans.
    fn export(&mut self, batch: &[FinishedSpan]) -> Option<Result<(), ExportError>> {
        self.shared.offer();
        let result = guard(|| self.exporter.export(batch));
        self.shared.come_back(match &result {
            Some(Ok(())) => batch.len(),
            Some(Err(error)) => error.delivered,
            None => 0,
        });
        result
    }
}

/// Returns the error as one line of text.
fn shown(error: &ExportError) -> String {
    const LONGEST: usize = 500;
    BoundedText::of(error, LONGEST).text
}

/// Returns `true` if the time is over when the pause ends.
fn is_over(until: Option<Instant>, pause: Duration) -> bool {
    until.is_some_and(|until| until.saturating_duration_since(Instant::now()) <= pause)
}

impl Retries {
    /// Returns when a batch whose first attempt is now is dropped; `None` for no limit.
    fn until(&self) -> Option<Instant> {
        Instant::now().checked_add(self.time?)
    }

    /// Returns how long to wait before the next retry, after this many.
    fn pause(&self, retries: u32, error: &ExportError) -> Duration {
        if let Some(asked) = error.after {
            return asked.min(self.longest_pause);
        }
        let doubled = 2u32.saturating_pow(retries);
        let pause = self
            .first_pause
            .saturating_mul(doubled)
            .min(self.longest_pause);
        // Up to a half less, at random: services that lost their backend at the same time should not return at the same
        // time.
        let chance = RandomState::new().hash_one(retries) as f64 / u64::MAX as f64;
        pause.mul_f64(1.0 - chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries {
        count: 5,
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(2),
        time: None,
    };

    #[test]
    fn pauses_grow_to_their_bound() {
        let error = ExportError::retry("down");
        for (retries, longest) in [
            (0, 100),
            (1, 200),
            (2, 400),
            (4, 1600),
            (5, 2000),
            (u32::MAX, 2000),
        ] {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let pause = RETRIES.pause(retries, &error);
                assert!(
                    (longest / 2..=longest).contains(&pause),
                    "{retries}: {pause:?}"
                );
            }
        }
    }

    #[test]
    fn an_asked_for_pause_is_kept_within_the_bound() {
        for (asked, kept) in [(0, 0), (1, 1), (2, 2), (3600, 2)] {
            let error = ExportError::retry("busy").after(Duration::from_secs(asked));
            assert_eq!(RETRIES.pause(3, &error), Duration::from_secs(kept));
        }
    }
}
