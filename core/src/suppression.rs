//! Code in which nothing is recorded: what a tracer does with spans makes no spans.
//!
//! A tracer whose `report` ends a span of its own policy would be called by that again, and so for ever; an exporter whose
//! HTTP client is traced would send one batch for each batch.

use std::cell::RefCell;

use crate::policy::Policy;

thread_local! {
    /// The policies that are suppressed on this thread, each as often as it is. A policy is known by its address.
    static SUPPRESSED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn address(policy: &Policy) -> usize {
    std::ptr::from_ref(policy).addr()
}

/// Runs `f`. No span of this policy that starts meanwhile on this thread is recorded.
pub(crate) fn suppress<R>(policy: &Policy, f: impl FnOnce() -> R) -> R {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = SUPPRESSED.try_with(|suppressed| suppressed.borrow_mut().pop());
        }
    }
    let entered = SUPPRESSED.try_with(|suppressed| suppressed.borrow_mut().push(address(policy)));
    let _restore = entered.is_ok().then_some(Restore);
    f()
}

/// Whether no span of this policy is recorded now on this thread.
pub(crate) fn is_suppressed(policy: &Policy) -> bool {
    SUPPRESSED
        .try_with(|suppressed| suppressed.borrow().contains(&address(policy)))
        .unwrap_or(false)
}
