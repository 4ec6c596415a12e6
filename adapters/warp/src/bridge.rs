//! The hook round every poll of a filter's future.
//!
//! warp's filters are sealed: nothing of ours can wrap their futures. `warp::trace` can, with a [`tracing::Span`], which is
//! entered round the call, every poll and the drop. It is given one whose dispatcher is ours alone, and which nobody else's
//! subscriber sees: entering it makes the request's span current.
//!
//! Relied on: `tracing::Span::new_with` is public though hidden from the documentation (the documented ways take the
//! dispatcher that is set for the thread, and setting one there costs every event of the process); `warp::trace` enters the
//! span in the call, and `tracing`'s `Instrumented` at each poll and in its drop; a panic passes through `exit`. Read and run
//! with warp 0.4.3, tracing 0.1.44 and tracing-core 0.1.36; the tests below fail if one of these changes.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use opentracing_http::server::{RequestScope, RequestSpan};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::{Field, FieldSet, Value};
use tracing_core::metadata::Kind;
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, Level, LevelFilter, Metadata, Subscriber};

use crate::place::Visit;
use crate::request::Identity;

/// Puts a visit under the hook: the span answered runs it, and dropped for the last time ends it.
pub(crate) fn open(visit: Visit) -> tracing::Span {
    const NO_VALUES: [(&Field, Option<&dyn Value>); 0] = [];
    let _ = OPENING.try_with(|opening| opening.set(Some(visit)));
    tracing::Span::new_with(
        &METADATA,
        &METADATA.fields().value_set(&NO_VALUES),
        &DISPATCH,
    )
}

/// The innermost visit that this thread is in.
pub(crate) fn with_visit<R>(f: impl FnOnce(&mut Visit) -> R) -> Option<R> {
    // Taken out meanwhile: `f` may call what is not ours.
    let (id, mut visit) = ENTERED
        .try_with(|entered| {
            let mut entered = entered.borrow_mut();
            entered
                .iter_mut()
                .rev()
                .find_map(|entered| Some((entered.slot, entered.visit.take()?)))
        })
        .ok()
        .flatten()?;
    let result = f(&mut visit);
    let _ = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let place = entered.iter_mut().rev().find(|entered| entered.slot == id);
        if let Some(place) = place {
            place.visit = Some(visit);
        }
    });
    Some(result)
}

/// Whether this thread is in a visit that holds this very request.
pub(crate) fn is_in(request: Identity) -> bool {
    ENTERED
        .try_with(|entered| {
            let entered = entered.borrow();
            let mut holders = entered.iter().filter(|entered| entered.scope.is_some());
            holders.any(|entered| entered.identity == Some(request))
        })
        .unwrap_or(false)
}

/// A visit that a thread is in.
struct Entered {
    slot: usize,
    /// Known also while the visit is taken out.
    identity: Option<Identity>,
    visit: Option<Visit>,
    scope: Option<RequestScope>,
}

thread_local! {
    /// On its way into [`Subscriber::new_span`].
    static OPENING: Cell<Option<Visit>> = const { Cell::new(None) };
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
    static SHARD: usize = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);
static DISPATCH: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Bridge::default()));
static METADATA: Metadata<'static> = Metadata::new(
    "request",
    "opentracing_warp",
    Level::TRACE,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&NoCallsite)),
    Kind::SPAN,
);

/// Enough that threads seldom meet.
const SHARDS: usize = 16;

/// The visits that no thread is in right now. Slots are used again, so there are as many as requests were once there at
/// the same time.
#[derive(Default)]
struct Bridge {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

/// The visit of one `tracing` span, and how many handles that has.
#[derive(Default)]
struct Slot {
    handles: usize,
    visit: Option<Visit>,
}

impl Bridge {
    fn insert(&self, visit: Option<Visit>) -> usize {
        let number = SHARD.try_with(|shard| *shard).unwrap_or_default();
        let mut shard = self.shard(number);
        let index = shard.free.pop().unwrap_or_else(|| {
            shard.slots.push(Slot::default());
            shard.slots.len() - 1
        });
        if let Some(slot) = shard.slots.get_mut(index) {
            *slot = Slot { handles: 1, visit };
        }
        index * SHARDS + number
    }

    fn with<R>(&self, slot: usize, f: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        self.shard(slot).slots.get_mut(slot / SHARDS).map(f)
    }

    fn shard(&self, slot: usize) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[slot % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot_of(id: &Id) -> usize {
    usize::try_from(id.into_u64() - 1).unwrap_or(usize::MAX)
}

impl Subscriber for Bridge {
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        let visit = OPENING.try_with(Cell::take).ok().flatten();
        Id::from_u64(self.insert(visit) as u64 + 1)
    }

    fn enter(&self, id: &Id) {
        let slot = slot_of(id);
        let visit = self.with(slot, |slot| slot.visit.take()).flatten();
        let scope = visit
            .as_ref()
            .and_then(|visit| visit.request.as_ref())
            .map(RequestSpan::enter);
        let entered = Entered {
            slot,
            identity: visit.as_ref().map(|visit| visit.identity),
            visit,
            scope,
        };
        let _ = ENTERED.try_with(|all| all.borrow_mut().push(entered));
    }

    fn exit(&self, id: &Id) {
        let slot = slot_of(id);
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let at = entered.iter().rposition(|entered| entered.slot == slot)?;
            Some(entered.remove(at))
        });
        let Ok(Some(Entered { visit, scope, .. })) = left else {
            return;
        };
        let Some(mut visit) = visit else {
            return;
        };
        if let (Some(request), Some(scope)) = (&mut visit.request, scope) {
            request.leave(scope);
        }
        self.with(slot, |slot| slot.visit = Some(visit));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.with(slot_of(id), |slot| slot.handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let slot = slot_of(&id);
        let closed = {
            let mut shard = self.shard(slot);
            let Some(found) = shard.slots.get_mut(slot / SHARDS) else {
                return false;
            };
            found.handles = found.handles.saturating_sub(1);
            if found.handles > 0 {
                return false;
            }
            let visit = found.visit.take();
            shard.free.push(slot / SHARDS);
            visit
        };
        // Ends the request, without the lock.
        drop(closed);
        true
    }

    // No event and no other span comes here: nobody's are enabled by this subscriber.
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::never()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn current_span(&self) -> Current {
        Current::none()
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}
}

/// Never registered: no other subscriber is asked.
struct NoCallsite;

impl Callsite for NoCallsite {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use opentracing_http::server::Instrumentation;
    use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Span};

    use super::*;
    use crate::request::{Facts, Identity};

    fn open_request(tracer: &InMemoryTracer) -> tracing::Span {
        let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "warp");
        let request = http::Request::get("/").body(()).unwrap();
        open(Visit {
            identity: Identity::of(request.uri().path(), request.headers()),
            request: Some(instrumentation.begin(&request)),
            joins: None,
            facts: Facts::default(),
            rejected: false,
        })
    }

    fn outcomes(tracer: &InMemoryTracer) -> Vec<Outcome> {
        let finished = tracer.finished();
        finished
            .iter()
            .map(|span| span.http().unwrap().outcome())
            .collect()
    }

    #[test]
    fn an_entered_span_makes_its_request_current() {
        let tracer = InMemoryTracer::new();
        let (one, other) = (open_request(&tracer), open_request(&tracer));
        let current =
            |span: &tracing::Span| span.in_scope(|| Span::current().context().unwrap().span_id());
        assert_ne!(current(&one), current(&other));
        assert_eq!(current(&one), current(&one));
        let (inside, within) = one.in_scope(|| {
            (
                current(&other),
                Span::current().context().unwrap().span_id(),
            )
        });
        assert_eq!((inside, within), (current(&other), current(&one)));
        assert!(Span::current().is_none());
        assert!(ENTERED.with(|entered| entered.borrow().is_empty()));
    }

    #[test]
    fn a_thread_is_in_the_request_that_it_entered_and_in_no_other() {
        let tracer = InMemoryTracer::new();
        let request = |path: &str| {
            http::Request::get(path)
                .header("host", "a")
                .body(())
                .unwrap()
        };
        let of =
            |request: &http::Request<()>| Identity::of(request.uri().path(), request.headers());
        for path in ["/", "/path"] {
            let entered = request(path);
            let visit = |request| Visit {
                identity: of(&entered),
                request,
                joins: None,
                facts: Facts::default(),
                rejected: false,
            };
            let begun = Instrumentation::new(&HttpTracing::new(tracer.clone()), "warp");
            let outer = open(visit(Some(begun.begin(&entered))));
            // One that joins holds no request.
            let inner = open(visit(None));
            outer.in_scope(|| {
                inner.in_scope(|| {
                    assert!(is_in(of(&entered)), "{path}");
                    // Within the process, by a handler.
                    assert!(!is_in(of(&request(path))), "{path}");
                });
            });
            inner.in_scope(|| assert!(!is_in(of(&entered)), "{path}"));
            // As warp does, between the filters.
            let expected = of(&entered);
            let moved = Box::new(entered);
            assert_eq!(of(&moved), expected, "{path}");
        }
    }

    #[test]
    fn it_is_current_on_whichever_thread_enters() {
        let tracer = InMemoryTracer::new();
        let span = open_request(&tracer);
        let here = span.in_scope(|| Span::current().context());
        let there = thread::spawn(move || span.in_scope(|| Span::current().context()))
            .join()
            .unwrap();
        assert_eq!(here, there);
        assert_eq!(outcomes(&tracer), [Outcome::Cancelled]);
    }

    #[test]
    fn the_last_handle_ends_the_request() {
        let tracer = InMemoryTracer::new();
        let span = open_request(&tracer);
        let copy = span.clone();
        drop(span);
        assert_eq!(tracer.unfinished(), 1);
        copy.in_scope(|| assert!(Span::current().is_recording()));
        drop(copy);
        assert_eq!(outcomes(&tracer), [Outcome::Cancelled]);
    }

    #[test]
    fn a_panic_is_seen_where_it_passes() {
        let tracer = InMemoryTracer::new();
        let span = open_request(&tracer);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            span.in_scope(|| panic!("as asked for"))
        }));
        assert!(caught.is_err() && Span::current().is_none());
        drop(span);
        assert_eq!(outcomes(&tracer), [Outcome::Panicked]);
    }

    #[test]
    fn a_panic_from_outside_is_none_of_the_requests() {
        struct EnteredByDrop(tracing::Span);
        impl Drop for EnteredByDrop {
            fn drop(&mut self) {
                self.0.in_scope(|| assert!(Span::current().is_recording()));
            }
        }

        let tracer = InMemoryTracer::new();
        let span = EnteredByDrop(open_request(&tracer));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _span = span;
            panic!("as asked for");
        }));
        assert!(caught.is_err());
        assert_eq!(outcomes(&tracer), [Outcome::Cancelled]);
    }

    #[test]
    fn an_answered_request_is_over_while_its_span_lives_on() {
        let tracer = InMemoryTracer::new();
        let span = open_request(&tracer);
        span.in_scope(|| {
            let request = with_visit(|visit| visit.request.take()).flatten().unwrap();
            request.fail(Some(500), &"no luck");
            assert!(!Span::current().is_recording() && !Span::current().is_none());
        });
        span.in_scope(|| assert!(Span::current().is_none()));
        drop(span);
        assert_eq!(outcomes(&tracer), [Outcome::HandlerError]);
    }

    #[test]
    fn slots_are_used_again() {
        let bridge = Bridge::default();
        let (first, second) = (bridge.insert(None), bridge.insert(None));
        assert_ne!(first, second);
        let id = Id::from_u64(first as u64 + 1);
        let copy = bridge.clone_span(&id);
        assert!(!bridge.try_close(copy));
        assert!(bridge.try_close(id));
        assert_eq!(bridge.insert(None), first);
    }

    #[test]
    fn other_subscribers_go_on_as_before() {
        use std::sync::Arc;

        struct Counting(Arc<AtomicUsize>);

        impl Subscriber for Counting {
            fn enabled(&self, metadata: &Metadata<'_>) -> bool {
                metadata.target() == "counted"
            }
            fn new_span(&self, _: &Attributes<'_>) -> Id {
                panic!("a span of ours came to a subscriber of the application's")
            }
            fn record(&self, _: &Id, _: &Record<'_>) {}
            fn record_follows_from(&self, _: &Id, _: &Id) {}
            fn event(&self, _: &Event<'_>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            fn enter(&self, _: &Id) {}
            fn exit(&self, _: &Id) {}
        }

        let count = Arc::new(AtomicUsize::new(0));
        tracing::subscriber::with_default(Counting(count.clone()), || {
            let tracer = InMemoryTracer::new();
            let span = open_request(&tracer);
            span.in_scope(|| tracing::trace!(target: "counted", "inside"));
            drop(span);
            tracing::error!(target: "counted", "outside");
        });
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
