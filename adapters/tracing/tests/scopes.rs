//! Which span is current while `tracing`'s spans are entered and left: on several threads, out of order, and with the core's own
//! scopes between them.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, Span, SpanId};
use opentracing_tracing::SpanLayer;
use tracing::{Dispatch, Instrument, debug_span, error, info, info_span};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;

struct Fixture {
    tracer: InMemoryTracer,
    tracing: HttpTracing,
    subscriber: Dispatch,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|layer, _| layer)
    }

    fn with_roots() -> Self {
        Self::with(SpanLayer::roots)
    }

    fn with(set: impl FnOnce(SpanLayer, &HttpTracing) -> SpanLayer) -> Self {
        let tracer = InMemoryTracer::new();
        let tracing = HttpTracing::new(tracer.clone());
        let layer = set(SpanLayer::new(), &tracing).with_filter(LevelFilter::INFO);
        // A layer that gets everything, so that spans exist that the filter leaves out.
        let format = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
        Self {
            subscriber: Dispatch::new(tracing_subscriber::registry().with(format).with(layer)),
            tracing,
            tracer,
        }
    }

    fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&self.subscriber, f)
    }

    /// Runs `f` within a span named `request`, and returns the finished spans.
    fn request(&self, f: impl FnOnce()) -> Vec<FinishedSpan> {
        self.run(|| self.tracing.span("request").start().in_scope(f));
        self.tracer.assert_nothing_unfinished();
        self.tracer.finished()
    }
}

fn id() -> Option<SpanId> {
    Some(Span::current().context()?.span_id())
}

fn named<'a>(spans: &'a [FinishedSpan], name: &str) -> &'a FinishedSpan {
    let mut found = spans.iter().filter(|span| span.name() == name);
    let span = found.next().unwrap_or_else(|| panic!("no span {name}"));
    assert!(found.next().is_none(), "two spans {name}");
    span
}

fn is_child(spans: &[FinishedSpan], child: &str, parent: &str) -> bool {
    let parent = named(spans, parent).context().span_id();
    named(spans, child).parent_id() == Some(parent)
}

/// Polls once.
fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn pause() {
    let mut first = true;
    std::future::poll_fn(|_| match std::mem::take(&mut first) {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

#[test]
fn span_that_is_entered_on_another_thread_is_current_there() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let work = info_span!("work");
        let (subscriber, here) = (fixture.subscriber.clone(), work.clone());
        let there = move || {
            tracing::dispatcher::with_default(&subscriber, || {
                assert_eq!(id(), None);
                work.in_scope(|| {
                    info_span!("there").in_scope(|| {});
                    Span::current().child("ours").finish();
                });
                assert_eq!(id(), None);
            });
        };
        // At the same time on both.
        here.in_scope(|| {
            thread::spawn(there).join().unwrap();
            info_span!("here").in_scope(|| {});
        });
    });
    for child in ["there", "ours", "here"] {
        assert!(is_child(&spans, child, "work"), "{child}");
    }
    assert!(is_child(&spans, "work", "request"));
}

#[test]
fn span_that_is_closed_on_another_thread_is_reported_once() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let work = info_span!("work");
        work.in_scope(|| {});
        let subscriber = fixture.subscriber.clone();
        thread::spawn(move || {
            tracing::dispatcher::with_default(&subscriber, || drop(work));
        })
        .join()
        .unwrap();
    });
    assert_eq!(spans.len(), 2);
    assert!(is_child(&spans, "work", "request"));
}

#[test]
fn span_that_is_never_entered_is_reported() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let _never = info_span!("never");
        let job = async {}.instrument(info_span!("dropped"));
        drop(job);
    });
    assert_eq!(spans.len(), 3);
    assert!(is_child(&spans, "never", "request"));
    assert!(is_child(&spans, "dropped", "request"));
}

#[test]
fn span_that_closes_before_its_children_ends_when_it_was_left() {
    let fixture = Fixture::new();
    let mut late = None;
    fixture.run(|| {
        let request = fixture.tracing.span("request").start();
        request.in_scope(|| {
            let parent = info_span!("parent");
            parent.in_scope(|| late = Some(info_span!("late")));
        });
        // The registry closes the parent only after the child, but its time is over.
        let after = fixture.tracing.span("after").start();
        drop(late.take());
        after.finish();
    });
    let spans = fixture.tracer.finished();
    assert!(is_child(&spans, "late", "parent"));
    assert!(named(&spans, "parent").end() <= named(&spans, "after").start());
    assert!(named(&spans, "late").end() >= named(&spans, "after").start());
    fixture.tracer.assert_nothing_unfinished();
}

#[test]
fn explicit_parent_is_the_parent_wherever_it_is() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let first = info_span!("first");
        info_span!("second").in_scope(|| {
            let child = info_span!(parent: &first, "child");
            child.in_scope(|| info_span!("grandchild").in_scope(|| {}));
            // The filter leaves this one out; its parent takes the child.
            let hidden = debug_span!(parent: &first, "hidden");
            let _below = info_span!(parent: &hidden, "below");
            let alone = info_span!(parent: None, "alone");
            alone.in_scope(|| info_span!("beside").in_scope(|| {}));
        });
    });
    assert!(is_child(&spans, "child", "first"));
    assert!(is_child(&spans, "grandchild", "child"));
    assert!(is_child(&spans, "below", "first"));
    // A root is not recorded, so what is within it belongs to the span around it.
    assert!(is_child(&spans, "beside", "second"));
    assert!(spans.iter().all(|span| span.name() != "alone"));
}

#[test]
fn span_below_a_hidden_one_on_another_thread_keeps_its_parent() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let hidden = info_span!("work").in_scope(|| debug_span!("hidden"));
        let subscriber = fixture.subscriber.clone();
        thread::spawn(move || {
            tracing::dispatcher::with_default(&subscriber, || {
                hidden.in_scope(|| info_span!("below").in_scope(|| info!("of below")));
                // The registry closes parents through the subscriber of the thread.
                drop(hidden);
            });
        })
        .join()
        .unwrap();
    });
    assert!(is_child(&spans, "below", "work"));
    assert_eq!(named(&spans, "below").logs().len(), 1);
}

#[test]
fn two_layers_do_not_disturb_each_other() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let jobs = |metadata: &tracing::Metadata<'_>| metadata.target() == "jobs";
    let subscriber = tracing_subscriber::registry()
        .with(opentracing_tracing::layer())
        .with(
            SpanLayer::new()
                .roots(&tracing)
                .with_filter(filter_fn(jobs)),
        );
    tracing::subscriber::with_default(subscriber, || {
        let request = tracing.span("request").start();
        request.in_scope(|| {
            info_span!("first").in_scope(|| {
                // Both layers record this one.
                info_span!(target: "jobs", "both").in_scope(|| {});
                info_span!("second").in_scope(|| {});
            });
            assert_eq!(id(), request.context().map(|context| context.span_id()));
        });
        info_span!(target: "jobs", "job").in_scope(|| info_span!("step").in_scope(|| {}));
    });
    let spans = tracer.finished();
    assert!(is_child(&spans, "second", "first"));
    assert!(is_child(&spans, "step", "job"));
    assert_eq!(spans.iter().filter(|span| span.name() == "both").count(), 2);
    assert_eq!(spans.len(), 7);
    tracer.assert_nothing_unfinished();
}

#[test]
fn event_of_a_hidden_span_belongs_to_the_current_span_or_to_none() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let hidden = debug_span!("hidden");
        info!(parent: &hidden, "of nobody");
        info_span!("work").in_scope(|| {
            info!(parent: &hidden, "of nobody");
            hidden.in_scope(|| error!(parent: &hidden, "of work"));
        });
    });
    assert_eq!(named(&spans, "work").logs().len(), 1);
    assert!(named(&spans, "work").is_error());
    assert!(named(&spans, "request").logs().is_empty());
}

#[test]
fn spans_outside_of_requests_are_recorded_only_if_it_is_asked_for() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let job = info_span!("job");
        job.in_scope(|| {
            assert!(Span::current().is_none());
            info_span!("step").in_scope(|| info!("done"));
        });
    });
    assert!(fixture.tracer.finished().is_empty());
    fixture.tracer.assert_nothing_unfinished();

    let fixture = Fixture::with_roots();
    fixture.run(|| {
        info_span!("job", n = 1, otel.name = "clean up", otel.kind = "consumer").in_scope(|| {
            info_span!("step").in_scope(|| info!("done"));
            let _other = info_span!(parent: None, "other");
        });
    });
    let spans = fixture.tracer.finished();
    let job = named(&spans, "clean up");
    assert!(is_child(&spans, "step", "clean up"));
    assert_eq!(job.parent_id(), None);
    assert_eq!(job.tag("n").unwrap().as_i64(), Some(1));
    assert_eq!(job.kind(), opentracing_http::SpanKind::Consumer);
    assert_eq!(named(&spans, "other").parent_id(), None);
    assert_ne!(
        named(&spans, "other").context().trace_id(),
        job.context().trace_id()
    );
    assert_eq!(named(&spans, "step").logs().len(), 1);
    fixture.tracer.assert_nothing_unfinished();
}

#[test]
fn guard_that_is_held_across_an_await_affects_no_other_task() {
    for fixture in [Fixture::new(), Fixture::with_roots()] {
        fixture.run(|| {
            let request = fixture.tracing.span("request").start();
            let handler = async {
                let _guard = info_span!("held").entered();
                info_span!("before").in_scope(|| {});
                pause().await;
                info_span!("after").in_scope(|| {});
            };
            let mut handler = pin!((*request).clone().scope(handler));
            assert!(poll(handler.as_mut()).is_pending());
            // Other tasks run on the thread.
            assert!(Span::current().is_none());
            info_span!("foreign").in_scope(|| {});
            let other = fixture.tracing.span("other").start();
            other.in_scope(|| info_span!("of other").in_scope(|| {}));
            drop(other);
            assert!(poll(handler.as_mut()).is_ready());
            assert!(Span::current().is_none());
        });
        let spans = fixture.tracer.finished();
        assert!(is_child(&spans, "before", "held"));
        assert!(is_child(&spans, "held", "request"));
        assert!(is_child(&spans, "of other", "other"));
        // The guard's scope ended with the first poll.
        assert!(is_child(&spans, "after", "request"));
        let mut foreign = spans.iter().filter(|span| span.name() == "foreign");
        assert!(foreign.all(|span| span.parent_id().is_none()));
        fixture.tracer.assert_nothing_unfinished();
    }
}

#[test]
fn guard_that_is_held_across_an_await_is_left_when_it_is_dropped() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let request = fixture.tracing.span("request").start();
        let held = request.in_scope(|| info_span!("held"));
        let guard = held.clone();
        let handler = async move {
            let _guard = guard.entered();
            pause().await;
        };
        let mut handler = pin!((*request).clone().scope(handler));
        assert!(poll(handler.as_mut()).is_pending());
        let before = fixture.tracing.span("before").start();
        assert!(poll(handler.as_mut()).is_ready());
        let after = fixture.tracing.span("after").start();
        drop(held);
        drop((before, after));
    });
    let spans = fixture.tracer.finished();
    let end = named(&spans, "held").end();
    assert!(named(&spans, "before").start() <= end);
    assert!(end <= named(&spans, "after").start());
}

#[test]
fn guard_that_is_forgotten_ends_with_its_poll() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        for _ in 0..1000 {
            let work = info_span!("work");
            let mut poll_it = pin!(Span::current().scope(async {
                work.with_subscriber(|(id, subscriber)| subscriber.enter(id));
            }));
            assert!(poll(poll_it.as_mut()).is_ready());
            let request = Span::current();
            assert!(request.context().is_some());
            // The registry's own list is cleaned, too, so that only the layer is tested.
            work.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            assert!(Span::current().is_same(&request));
        }
    });
    assert_eq!(spans.len(), 1001);
}

#[test]
fn future_that_moves_between_threads_has_its_span_current() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let request = fixture.tracing.span("request").start();
        let future = request.in_scope(|| {
            async {
                let first = id();
                pause().await;
                assert_eq!(id(), first);
                info_span!("second poll").in_scope(|| {});
            }
            .instrument(info_span!("work"))
        });
        let mut future = Box::pin(future);
        assert!(poll(future.as_mut()).is_pending());
        let subscriber = fixture.subscriber.clone();
        thread::spawn(move || {
            tracing::dispatcher::with_default(&subscriber, move || {
                assert!(poll(future.as_mut()).is_ready());
                assert_eq!(id(), None);
            });
        })
        .join()
        .unwrap();
    });
    let spans = fixture.tracer.finished();
    assert!(is_child(&spans, "second poll", "work"));
    assert!(is_child(&spans, "work", "request"));
    fixture.tracer.assert_nothing_unfinished();
}

#[test]
fn panic_within_a_span_leaves_and_ends_it() {
    let fixture = Fixture::new();
    let spans = fixture.request(|| {
        let request = id();
        let caught =
            std::panic::catch_unwind(|| info_span!("work").in_scope(|| panic!("expected")));
        assert!(caught.is_err());
        assert_eq!(id(), request);
    });
    assert!(is_child(&spans, "work", "request"));
}
