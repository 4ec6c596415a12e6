//! The memory that ended spans gain while they wait in a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of bytes by which the spans in one queue have grown since they ended, because handles can set baggage at any time.
#[derive(Debug, Clone, Default)]
pub(crate) struct LateBytes(Arc<AtomicUsize>);

impl LateBytes {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn change(&self, before: usize, after: usize) {
        self.0.fetch_add(after, Ordering::Relaxed);
        self.0.fetch_sub(before, Ordering::Relaxed);
    }
}

/// The queues that one span waits in, usually none or one.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    first: Option<LateBytes>,
    more: Vec<LateBytes>,
}

impl Queues {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    /// Adds a queue. It counts the `late` bytes that the span has gained, and later ones.
    pub(crate) fn add(&mut self, queue: &LateBytes, late: usize) {
        queue.change(0, late);
        match &self.first {
            None => self.first = Some(queue.clone()),
            Some(_) => self.more.push(queue.clone()),
        }
    }

    /// Removes a queue, once. It no longer counts the `late` bytes of the span.
    pub(crate) fn remove(&mut self, queue: &LateBytes, late: usize) {
        let is_it = |other: &LateBytes| Arc::ptr_eq(&other.0, &queue.0);
        if self.first.as_ref().is_some_and(is_it) {
            self.first = self.more.pop();
        } else if let Some(at) = self.more.iter().position(is_it) {
            self.more.swap_remove(at);
        } else {
            return;
        }
        queue.change(late, 0);
    }

    /// Changes the count of every queue from `before` to `after` bytes.
    pub(crate) fn change(&self, before: usize, after: usize) {
        for queue in self.first.iter().chain(&self.more) {
            queue.change(before, after);
        }
    }
}
