//! Suppression of spans: while a tracer runs, spans of its own policy are not recorded.
//!
//! Otherwise a tracer whose `report` ends a span of its own policy would be called again for that span, without end. An exporter
//! with a traced HTTP client would cause a new batch with each batch.

use std::cell::{Cell, RefCell};

/// The policies that are suppressed on a thread.
struct Suppressed {
    /// The policy that was suppressed last.
    last: Cell<Option<PolicyId>>,
    /// The policies that were suppressed before it.
    others: RefCell<Vec<PolicyId>>,
}

thread_local! {
    /// The policies that are suppressed on this thread.
    static SUPPRESSED: Suppressed = const {
        Suppressed { last: Cell::new(None), others: RefCell::new(Vec::new()) }
    };
}

/// The id of a policy: its address, unique as long as the policy exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PolicyId(usize);

impl PolicyId {
    /// Returns the id of the policy at this address.
    pub(crate) const fn new(address: usize) -> Self {
        Self(address)
    }
}

/// Runs `f`. Spans of this policy that start meanwhile on this thread are not recorded.
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

/// Runs `f` as [`suppress`] does, for several policies.
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

/// Returns `true` if spans of any policy are not recorded on this thread at present.
pub(crate) fn is_active() -> bool {
    let is_active = SUPPRESSED.try_with(|suppressed| suppressed.last.get().is_some());
    is_active.unwrap_or(false)
}

/// Returns `true` if spans of this policy are not recorded on this thread at present.
pub(crate) fn is_suppressed(policy: PolicyId) -> bool {
    let found = SUPPRESSED.try_with(|suppressed| {
        let last = suppressed.last.get();
        last.is_some_and(|last| last == policy || suppressed.others.borrow().contains(&policy))
    });
    found.unwrap_or(false)
}
