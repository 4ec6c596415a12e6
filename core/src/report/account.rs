use crate::delivery::{Drops, Reason};

/// Counts what happened to each reported span: it waits in the queue, is in the batch, was delivered, or was dropped.
///
/// Queued spans are numbered, and leave the queue in their order.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Number of spans that were ever queued.
    queued: u64,
    /// How many of those are settled: delivered or dropped, and no longer held.
    settled: u64,
    /// Number of spans in the batch.
    batch: usize,
    /// How many of those, the last ones, are neither delivered nor dropped.
    open: usize,
    /// Whether the exporter is sending them at this moment.
    is_offered: bool,
    delivered: u64,
    drops: Drops,
    watches: Vec<Watch>,
    next_watch: u64,
}

/// A counter of the losses among the spans up to a number.
#[derive(Debug)]
struct Watch {
    id: u64,
    to: u64,
    lost: u64,
}

impl Account {
    pub(super) const fn queued(&self) -> u64 {
        self.queued
    }

    pub(super) const fn settled(&self) -> u64 {
        self.settled
    }

    /// Returns `true` if a queued span is not settled.
    pub(super) const fn is_pending(&self) -> bool {
        self.settled < self.queued
    }

    pub(super) const fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) const fn drops(&self) -> Drops {
        self.drops
    }

    /// Records that a span was queued.
    pub(super) const fn queue(&mut self) {
        self.queued += 1;
    }

    /// Records that a span was not queued.
    pub(super) fn refuse(&mut self, reason: Reason) {
        self.drops.add(reason, 1);
    }

    /// Records that this many spans became the batch.
    pub(super) const fn take(&mut self, spans: usize) {
        self.batch = spans;
        self.open = spans;
    }

    /// Records that the exporter is about to get the open spans of the batch.
    pub(super) const fn offer(&mut self) {
        self.is_offered = true;
    }

    /// Records that the exporter has returned, and how many spans it delivered. Spans that were abandoned meanwhile are
    /// not counted again.
    pub(super) fn come_back(&mut self, delivered: usize) {
        self.is_offered = false;
        let delivered = delivered.min(self.open);
        self.open -= delivered;
        self.delivered += delivered as u64;
    }

    /// Records that the open spans of the batch are lost.
    pub(super) fn lose_batch(&mut self, reason: Reason) {
        self.lose_part(reason, self.open);
    }

    /// Records that this many of the batch's open spans are lost.
    pub(super) fn lose_part(&mut self, reason: Reason, spans: usize) {
        let first = self.settled + (self.batch - self.open) as u64;
        let lost = spans.min(self.open);
        self.open -= lost;
        self.lose(reason, first, lost);
    }

    /// Records that the batch is settled.
    pub(super) const fn settle(&mut self) {
        self.settled += self.batch as u64;
        self.batch = 0;
    }

    /// Records that the batch, and this many spans in the queue, are abandoned.
    pub(super) fn abandon(&mut self, waiting: usize) {
        let is_sending = self.is_offered;
        self.lose_batch(match is_sending {
            true => Reason::InFlight,
            false => Reason::ShutDown,
        });
        self.settle();
        self.lose(Reason::ShutDown, self.settled, waiting);
        self.settled += waiting as u64;
    }

    fn lose(&mut self, reason: Reason, first: u64, spans: usize) {
        self.drops.add(reason, spans);
        for watch in &mut self.watches {
            watch.lost += (spans as u64).min(watch.to.saturating_sub(first));
        }
    }

    /// Starts to count the losses among the spans that are queued now.
    pub(super) fn watch(&mut self) -> u64 {
        let id = self.next_watch;
        self.next_watch += 1;
        self.watches.push(Watch {
            id,
            to: self.queued,
            lost: 0,
        });
        id
    }

    /// Stops counting, and returns how many were lost.
    pub(super) fn end_watch(&mut self, id: u64) -> u64 {
        let place = self.watches.iter().position(|watch| watch.id == id);
        place.map_or(0, |place| self.watches.swap_remove(place).lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(queued: usize, batch: usize) -> Account {
        let mut account = Account::default();
        (0..queued).for_each(|_| account.queue());
        account.take(batch);
        account.offer();
        account
    }

    #[test]
    fn a_loss_is_counted_in_the_watches_of_its_spans() {
        let mut account = filled(2, 2);
        let early = account.watch();
        account.queue();
        account.queue();
        let late = account.watch();
        account.come_back(1);
        account.lose_batch(Reason::Rejected);
        account.settle();
        // Losses in the next batch are not counted for the earlier spans.
        account.take(2);
        account.lose_batch(Reason::Failed);
        account.settle();
        assert_eq!((account.end_watch(early), account.end_watch(late)), (1, 3));
        assert_eq!(account.end_watch(early), 0, "it has ended");
        assert_eq!((account.delivered(), account.drops().total()), (1, 3));
        assert!(!account.is_pending());
    }

    #[test]
    fn abandoned_spans_are_counted_once() {
        let mut account = filled(5, 3);
        let watch = account.watch();
        account.come_back(1);
        account.offer();
        account.abandon(2);
        assert_eq!(
            (account.drops().in_flight, account.drops().shut_down),
            (2, 2)
        );
        account.come_back(2);
        account.lose_batch(Reason::Failed);
        account.settle();
        assert_eq!((account.delivered(), account.drops().total()), (1, 4));
        assert_eq!((account.settled(), account.end_watch(watch)), (5, 4));
    }

    #[test]
    fn a_batch_that_waits_to_be_offered_again_is_not_in_flight() {
        let mut account = filled(2, 2);
        account.come_back(0);
        account.abandon(0);
        assert_eq!(
            (account.drops().in_flight, account.drops().shut_down),
            (0, 2)
        );
    }
}
