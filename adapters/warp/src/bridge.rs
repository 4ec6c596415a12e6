//! Makes the request's span current during every call, poll and drop of a filter's future.
//!
//! warp's filters are sealed, so their futures cannot be wrapped. But `warp::trace` runs them within a [`tracing::Span`] that a
//! function of this package returns. The span belongs to a dispatcher that only this module uses, so the application's
//! subscribers do not see it. Entering it makes the request's span current.
//!
//! This depends on the following details of `tracing` and warp:
//!
//! - `tracing::Span::new_with` is public, though hidden from tracing's documentation. The documented constructors use the
//!   dispatcher that is set for the thread, and setting one there slows down every event of the process.
//! - `warp::trace` enters the span while it calls the filter. `tracing`'s `Instrumented` enters it during each poll and its drop.
//! - If the filter panics, `exit` is called while the thread unwinds.
//!
//! It was reviewed and tested with warp 0.4.3, tracing 0.1.44 and tracing-core 0.1.36. The tests of this package fail if any of this changes.

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentracing_http::server::{RequestScope, SharedRequestSpan};
use sharded_slab::{Entry, Slab};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::{Field, FieldSet, Value};
use tracing_core::metadata::Kind;
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, Level, LevelFilter, Metadata, Subscriber};

use crate::request::Identity;
use crate::traced_request::TracedRequest;

/// Returns a span for the request. The request's span is current while this span is entered. The request ends when the last handle
/// of this span is dropped.
pub(crate) fn open(request: TracedRequest) -> tracing::Span {
    const NO_VALUES: [(&Field, Option<&dyn Value>); 0] = [];
    // Created at the first request. This calls the application's subscribers, so it comes before the key is set.
    let dispatch: &Dispatch = &DISPATCH;
    let handles = AtomicUsize::new(1);
    let Some(key) = KEPT.insert(Kept { handles, request }) else {
        // Never reached: the memory is exhausted before the slab is full.
        return tracing::Span::none();
    };
    OPENING.set(key);
    let no_values = METADATA.fields().value_set(&NO_VALUES);
    tracing::Span::new_with(&METADATA, &no_values, dispatch)
}

/// Calls `f` with the innermost request that this thread has entered. Returns `None` if there is none.
pub(crate) fn with_innermost<R>(f: impl FnOnce(&TracedRequest) -> R) -> Option<R> {
    let innermost = ENTERED.try_with(|entered| Some(entered.borrow().last()?.kept.key()));
    // Nothing is borrowed while `f` runs, because it may call user code that enters another request.
    let kept = KEPT.get(innermost.ok().flatten()?)?;
    Some(f(&kept.request))
}

/// Returns `true` if a mount point that this thread has entered has begun this request.
pub(crate) fn has_begun(request: Identity) -> bool {
    let has_begun = |entered: &Entered| entered.kept.request.has_begun(request);
    ENTERED
        .try_with(|entered| entered.borrow().iter().any(has_begun))
        .unwrap_or(false)
}

/// A request and the number of handles of its span in `tracing`. It is removed with the last handle.
struct Kept {
    handles: AtomicUsize,
    request: TracedRequest,
}

/// A request that a thread has entered.
struct Entered {
    kept: Entry<'static, Kept>,
    /// `None` if an outer mount point has begun the request.
    scope: Option<RequestScope>,
}

thread_local! {
    /// The key of the request whose span is being created.
    static OPENING: Cell<usize> = const { Cell::new(0) };
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// The requests in progress. Each thread inserts into its own part, without a lock.
///
/// On 64-bit systems there is room for 4096 threads at the same time, as in tracing-subscriber's registry, which uses such a
/// slab as well.
static KEPT: LazyLock<Slab<Kept>> = LazyLock::new(Slab::new);
static DISPATCH: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Bridge));
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

/// The subscriber of these spans. The id of a span is the key of its request plus one, because 0 is no valid id.
struct Bridge;

fn key_of(id: &Id) -> usize {
    usize::try_from(id.into_u64() - 1).unwrap_or(usize::MAX)
}

impl Subscriber for Bridge {
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(OPENING.get() as u64 + 1)
    }

    fn enter(&self, id: &Id) {
        if let Some(kept) = KEPT.get(key_of(id)) {
            let scope = kept.request.begun().map(SharedRequestSpan::enter);
            let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(Entered { kept, scope }));
        }
    }

    fn exit(&self, id: &Id) {
        let key = key_of(id);
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let position = entered
                .iter()
                .rposition(|entered| entered.kept.key() == key)?;
            Some(entered.remove(position))
        });
        if let Ok(Some(Entered { kept, scope })) = left
            && let (Some(span), Some(scope)) = (kept.request.begun(), scope)
        {
            span.leave(scope);
        }
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(kept) = KEPT.get(key_of(id)) {
            kept.handles.fetch_add(1, Ordering::Relaxed);
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let key = key_of(&id);
        let Some(kept) = KEPT.get(key) else {
            return false;
        };
        if kept.handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return false;
        }
        // A panic of the request itself was noted in `exit`. If the thread panics now, the panic comes from outside of the request.
        drop(kept.request.begun().and_then(SharedRequestSpan::take));
        drop(kept);
        KEPT.remove(key)
    }

    // This subscriber enables no events and no other spans, so it gets none.
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}
}

/// A callsite that is never registered, so no other subscriber is called for it.
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
    use std::sync::{Arc, Mutex};
    use std::thread;

    use opentracing_http::server::Instrumentation;
    use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Span};
    use warp::Filter;
    use warp::trace::Info;

    use super::*;
    use crate::traced_request::Coverage;

    fn begin(tracer: &InMemoryTracer, info: &Info<'_>) -> tracing::Span {
        let instrumentation = Instrumentation::new(HttpTracing::new(tracer.clone()), "warp");
        open(TracedRequest::begin(&instrumentation, Coverage::App, info))
    }

    /// Sends a request through `warp::trace` with this function.
    fn send(path: &str, trace: impl Fn(Info<'_>) -> tracing::Span + Clone + Send + Sync + 'static) {
        let filter = warp::any().map(warp::reply).with(warp::trace(trace));
        let request = warp::test::request().path(path).header("host", "a");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(request.reply(&filter));
    }

    /// Returns the span of a request without a response.
    fn open_request(tracer: &InMemoryTracer) -> tracing::Span {
        let opened = Arc::new(Mutex::new(None));
        let (tracer, span) = (tracer.clone(), opened.clone());
        send("/", move |info| {
            let opened = begin(&tracer, &info);
            *span.lock().unwrap() = Some(opened.clone());
            opened
        });
        opened.lock().unwrap().take().unwrap()
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
    fn request_is_identified_by_its_address_in_memory() {
        fn of(request: &http::Request<()>) -> Identity {
            Identity::of(request.uri().path(), request.headers())
        }

        let tracer = InMemoryTracer::new();
        for path in ["/", "/path"] {
            let tracer = tracer.clone();
            send(path, move |info| {
                let identity = Identity::of(info.path(), info.request_headers());
                let other = http::Request::get(info.path()).header("host", "a");
                let other = other.body(()).unwrap();
                assert!(!has_begun(identity), "{}", info.path());
                let outer = begin(&tracer, &info);
                outer.in_scope(|| {
                    // An inner mount point joins the request but has not begun it.
                    begin(&tracer, &info).in_scope(|| {
                        assert!(has_begun(identity), "{}", info.path());
                        // A request that a handler creates itself.
                        assert!(!has_begun(of(&other)), "{}", info.path());
                    });
                });
                begin(&tracer, &info).in_scope(|| assert!(has_begun(identity)));
                assert!(!has_begun(identity), "{}", info.path());
                // warp moves the request between filters; its parts stay at their addresses.
                let expected = of(&other);
                let moved = Box::new(other);
                assert_eq!(of(&moved), expected, "{}", info.path());
                outer
            });
        }
        assert_eq!(tracer.finished().len(), 4);
    }

    #[test]
    fn request_is_current_on_every_thread_that_enters() {
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
    fn panic_within_an_entered_span_is_a_panicked_request() {
        let tracer = InMemoryTracer::new();
        let span = open_request(&tracer);
        let caught = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| panic!("on purpose"))));
        assert!(caught.is_err() && Span::current().is_none());
        drop(span);
        assert_eq!(outcomes(&tracer), [Outcome::Panicked]);
    }

    #[test]
    fn panic_outside_of_the_request_is_a_cancelled_request() {
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
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        assert_eq!(outcomes(&tracer), [Outcome::Cancelled]);
    }

    #[test]
    fn request_that_has_ended_is_not_recording_while_its_span_has_handles() {
        let tracer = InMemoryTracer::new();
        let span = open_request(&tracer);
        span.in_scope(|| {
            let request = with_innermost(|request| request.begun()?.take()).flatten();
            request.unwrap().fail(Some(500), &"no luck");
            assert!(!Span::current().is_recording() && !Span::current().is_none());
        });
        span.in_scope(|| assert!(!Span::current().is_recording()));
        drop(span);
        assert_eq!(outcomes(&tracer), [Outcome::HandlerError]);
    }

    #[test]
    fn request_is_removed_with_the_last_handle_of_its_span() {
        let span = open_request(&InMemoryTracer::new());
        let id = span.id().unwrap();
        let copy = span.clone();
        drop(span);
        assert!(KEPT.contains(key_of(&id)));
        drop(copy);
        assert!(!KEPT.contains(key_of(&id)));
    }

    #[test]
    fn subscriber_of_the_application_gets_its_events_and_no_span_of_the_bridge() {
        struct Counting(Arc<AtomicUsize>);

        impl Subscriber for Counting {
            fn enabled(&self, metadata: &Metadata<'_>) -> bool {
                metadata.target() == "counted"
            }
            fn new_span(&self, _: &Attributes<'_>) -> Id {
                panic!("the application's subscriber got a span of the bridge")
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
