//! Code in which nothing is recorded: what a tracer does with spans makes no spans.
//!
//! A tracer whose `report` ends a span of its own policy would be called by that again, and so for ever; an exporter whose
//! HTTP client is traced would send one batch for each batch.

use std::cell::{Cell, RefCell};

struct Suppressed {
    /// The policy that was suppressed last.
    last: Cell<Option<PolicyId>>,
    /// Those before it.
    others: RefCell<Vec<PolicyId>>,
}

thread_local! {
    /// The policies that are suppressed on this thread.
    static SUPPRESSED: Suppressed = const {
        Suppressed { last: Cell::new(None), others: RefCell::new(Vec::new()) }
    };
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

/// Runs `f`. No span of this policy that starts meanwhile on this thread is recorded.
pub(crate) fn suppress<R>(policy: PolicyId, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<PolicyId>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = SUPPRESSED.try_with(|suppressed| {
                suppressed.last.set(self.0);
                if self.0.is_some() {
                    suppressed.others.borrow_mut().pop();
                }
            });
        }
    }
    let before = SUPPRESSED.try_with(|suppressed| {
        let before = suppressed.last.replace(Some(policy));
        if let Some(before) = before {
            suppressed.others.borrow_mut().push(before);
        }
        before
    });
    let _restore = before.ok().map(Restore);
    f()
}

/// As [`suppress`], for several policies.
pub(crate) fn suppress_all<R>(policies: &[PolicyId], f: impl FnOnce() -> R) -> R {
    match policies {
        [] => f(),
        [policy] => suppress(*policy, f),
        [policy, others @ ..] => {
            let f: Box<dyn FnOnce() -> R + '_> = Box::new(f);
            suppress(*policy, || suppress_all(others, f))
        }
    }
}

/// Returns whether no span of this policy is recorded now on this thread.
pub(crate) fn is_suppressed(policy: PolicyId) -> bool {
    let found = SUPPRESSED.try_with(|suppressed| {
        let last = suppressed.last.get();
        last.is_some_and(|last| last == policy || suppressed.others.borrow().contains(&policy))
    });
    found.unwrap_or(false)
}
