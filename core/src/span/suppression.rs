//! Code in which nothing is recorded: what a tracer does with spans makes no spans.
//!
//! A tracer whose `report` ends a span of its own policy would be called by that again, and so for ever; an exporter whose
//! HTTP client is traced would send one batch for each batch.

use std::cell::RefCell;

thread_local! {
    /// The policies that are suppressed on this thread.
    static SUPPRESSED: RefCell<Vec<PolicyId>> = const { RefCell::new(Vec::new()) };
}

/// A policy, known by its address as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PolicyId(usize);

impl PolicyId {
    /// Returns the id of the policy at this address.
    pub(crate) const fn new(address: usize) -> Self {
        Self(address)
    }
}

/// Runs `f`. No span of these policies that starts meanwhile on this thread is recorded.
pub(crate) fn suppress<R>(
    policies: impl IntoIterator<Item = PolicyId>,
    f: impl FnOnce() -> R,
) -> R {
    /// How many were suppressed before.
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = SUPPRESSED.try_with(|suppressed| suppressed.borrow_mut().truncate(self.0));
        }
    }
    let before = SUPPRESSED.try_with(|suppressed| {
        let mut suppressed = suppressed.borrow_mut();
        let before = suppressed.len();
        for policy in policies {
            if !suppressed.contains(&policy) {
                suppressed.push(policy);
            }
        }
        before
    });
    let _restore = before.ok().map(Restore);
    f()
}

/// Returns whether no span of this policy is recorded now on this thread.
pub(crate) fn is_suppressed(policy: PolicyId) -> bool {
    SUPPRESSED
        .try_with(|suppressed| suppressed.borrow().contains(&policy))
        .unwrap_or(false)
}
