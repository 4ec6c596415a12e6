//! Children that are started where no span is current: counted, and the first one is logged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::guard::guard;
use crate::span::suppression;

static CHILDREN: AtomicU64 = AtomicU64::new(0);
static IS_LOGGED: AtomicBool = AtomicBool::new(false);
/// Whether this process has built a policy that can record spans.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

/// Returns the number of children that this process has started so far where no span was current. They are not recorded.
///
/// The usual cause is work that was spawned without its span. The remedy is to carry the span into it:
/// `tokio::spawn(Span::current().scope(future))`, or [`Span::enter`](crate::Span::enter) on another thread. The first such child
/// is logged with the `log` crate, as a warning of the target `opentracing_http`, if the process has a policy by then that can
/// record spans.
///
/// A child counts if its parent is the [empty handle](crate::Span::none) and the thread is outside of all scopes. Within the scope
/// of an empty handle it does not: there the application wants no spans. Not counted either are children that a tracer, an exporter
/// or a finish callback starts, and those in requests that are skipped or not recorded. But the bodies of such requests run outside
/// of their scope if their size is known, and children in these are counted.
///
/// ```
/// use opentracing_http::{Span, scope};
///
/// std::thread::spawn(|| Span::current().child("import").finish()).join().unwrap();
/// assert!(scope::children_without_parent() >= 1);
/// ```
#[must_use]
pub fn children_without_parent() -> u64 {
    CHILDREN.load(Ordering::Relaxed)
}

/// Notes that a policy was built that can record spans.
pub(crate) fn note_policy() {
    IS_IN_USE.store(true, Ordering::Relaxed);
}

/// Counts a child of an empty handle that was started outside of all scopes.
#[cold]
pub(super) fn note_child(name: &str) {
    if suppression::is_active() {
        return;
    }
    CHILDREN.fetch_add(1, Ordering::Relaxed);
    // Stored before the call, because the logger is foreign code and may start children itself.
    if IS_IN_USE.load(Ordering::Relaxed) && !IS_LOGGED.swap(true, Ordering::Relaxed) {
        guard(|| log(name));
    }
}

fn log(name: &str) {
    log::warn!(
        target: "opentracing_http",
        "the child `{name}` is not recorded, because no span is current where it was started; carry the span into spawned work \
         with `span.scope(future)`, or into another thread with `span.enter()`. \
         `opentracing_http::scope::children_without_parent()` counts all of them"
    );
}
