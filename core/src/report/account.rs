use crate::delivery::{Drops, Reason};

/// What becomes of each span: what was reported waits in the queue, is in the batch, was delivered or was dropped, one of
/// these at a time.
///
/// Queued spans have running numbers, and leave in their order.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// How many spans have ever been queued.
    queued: u64,
    /// How many of those are done with, delivered or not, and no longer held.
    settled: u64,
    /// How many spans are in the batch.
    batch: usize,
    /// How many of those are neither delivered nor dropped, the last ones.
    open: usize,
    /// Whether the exporter has them at this moment.
    is_offered: bool,
    delivered: u64,
    drops: Drops,
    watches: Vec<Watch>,
    next_watch: u64,
}

/// Somebody who wants to know of the losses among the first so many spans.
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

    /// Whether a queued span is not done with.
    pub(super) const fn is_pending(&self) -> bool {
        self.settled < self.queued
    }

    pub(super) const fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) const fn drops(&self) -> Drops {
        self.drops
    }

    /// A span was queued.
    pub(super) const fn queue(&mut self) {
        self.queued += 1;
    }

    /// A span found no place in the queue.
    pub(super) fn refuse(&mut self, reason: Reason) {
        self.drops.add(reason, 1);
    }

    /// So many spans became the batch.
    pub(super) const fn take(&mut self, spans: usize) {
        self.batch = spans;
        self.open = spans;
    }

    /// The exporter is about to be given what is open of the batch.
    pub(super) const fn offer(&mut self) {
        self.is_offered = true;
    }

    /// The exporter has come back, and has delivered so many. Nothing is counted that was given up meanwhile.
    pub(super) fn come_back(&mut self, delivered: usize) {
        self.is_offered = false;
        let delivered = delivered.min(self.open);
        self.open -= delivered;
        self.delivered += delivered as u64;
    }

    /// What is open of the batch is lost.
    pub(super) fn lose_batch(&mut self, reason: Reason) {
        self.lose_part(reason, self.open);
    }

    /// So many of what is open of the batch are lost.
    pub(super) fn lose_part(&mut self, reason: Reason, spans: usize) {
        let first = self.settled + (self.batch - self.open) as u64;
        let lost = spans.min(self.open);
        self.open -= lost;
        self.lose(reason, first, lost);
    }

    /// The batch is done with.
    pub(super) const fn settle(&mut self) {
        self.settled += self.batch as u64;
        self.batch = 0;
    }

    /// The batch, and so many spans in the queue, are given up.
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

    /// Begins to count the losses among what is queued by now.
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

    /// Ends to count, and returns how many were lost.
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
    fn a_loss_counts_for_those_who_wait_for_these_spans() {
        let mut account = filled(2, 2);
        let early = account.watch();
        account.queue();
        account.queue();
        let late = account.watch();
        account.come_back(1);
        account.lose_batch(Reason::Rejected);
        account.settle();
        // The next batch is nothing to the one who wanted to know of the first.
        account.take(2);
        account.lose_batch(Reason::Failed);
        account.settle();
        assert_eq!((account.end_watch(early), account.end_watch(late)), (1, 3));
        assert_eq!(account.end_watch(early), 0, "it has ended");
        assert_eq!((account.delivered(), account.drops().total()), (1, 3));
        assert!(!account.is_pending());
    }

    #[test]
    fn what_was_given_up_is_counted_once() {
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
