//! The way out of the process.

use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use opentracing_http::report::Diagnostics;
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{FanOut, FinishedSpan, Flushed, HttpTracing, InMemoryTracer, Span, Tracer};

use crate::tracer::kit::{Kit, assert_in_order, in_time, named};
use crate::tracer::{Backend, Delivery, PATIENCE, ReceivedSpan};

/// How long a case allows a flush that must give up.
const SHORT: Duration = Duration::from_millis(50);

/// Spans that are dropped arrive, also those that a panic drops.
pub fn drop_finishes_the_span<B: Backend>() {
    let kit = Kit::<B>::new();
    drop(kit.tracing.span("dropped").start());
    let thread = thread::spawn({
        let tracing = kit.tracing.clone();
        move || {
            let span = tracing.span("unwound").start();
            span.child("below").finish();
            // Like a panic, without its message among those of the test.
            std::panic::resume_unwind(Box::new(span));
        }
    });
    drop(thread.join());
    let spans = kit.arrived(3);
    let unwound = named(&spans, "unwound").span_id;
    assert_eq!(
        named(&spans, "below").parent_id,
        Some(unwound),
        "a panic changes no span's parent"
    );
    named(&spans, "dropped");
}

/// A flush delivers what was reported before it, every time, and is complete then; with nothing to deliver it is at once.
pub fn flush_delivers<B: Backend>() {
    let kit = Kit::<B>::new();
    let flushed = kit.tracing.flush(PATIENCE);
    assert_eq!(
        flushed,
        Flushed::COMPLETE,
        "a flush with nothing to deliver (left) is complete"
    );
    for count in 1..=3 {
        kit.tracing.span("work").start().finish();
        if B::CAPABILITIES.delivery != Delivery::AtOnce {
            let flushed = kit.tracing.flush(PATIENCE);
            assert_eq!(
                flushed,
                Flushed::COMPLETE,
                "a flush that had {PATIENCE:?} (left) is complete"
            );
        }
        kit.wait_for(count);
        assert_eq!(
            kit.tracing.flush(Duration::ZERO),
            Flushed::COMPLETE,
            "where nothing is left to deliver a flush (left) is complete, also without any time"
        );
    }
    assert_eq!(kit.tracing.dropped(), 0, "nothing was to be dropped");
}

/// What was reported arrives, without a flush, when the policy and every handle to it are dropped.
pub fn dropping_everything_delivers<B: Backend>() {
    let Kit {
        tracing, backend, ..
    } = Kit::<B>::new();
    let span = tracing.span("open").start();
    for _ in 0..3 {
        tracing.span("work").start().finish();
    }
    span.finish();
    in_time("dropping the policy", || drop(tracing));
    let arrived = backend.arrived(4).len();
    assert_eq!(arrived, 4, "what was reported arrives without a flush");
}

/// A flush whose exporter hangs returns in its time, and returns that this was not enough, and that nothing was lost; what it
/// waited for arrives when the exporter goes on. A tracer that delivers at once has nothing to wait for.
pub fn flush_with_a_stuck_exporter_returns_in_time<B: Backend>() {
    let kit = Kit::<B>::new();
    kit.tracing.span("before").start().finish();
    assert!(
        kit.tracing.flush(PATIENCE).is_complete(),
        "nothing holds this flush up"
    );
    let queued = B::CAPABILITIES.delivery != Delivery::AtOnce;
    if queued {
        kit.backend.stall();
    }
    kit.tracing.span("held up").start().finish();
    for _ in 0..2 {
        let began = Instant::now();
        let tracing = kit.tracing.clone();
        let flushed = in_time("a flush", move || tracing.flush(SHORT));
        let expected = match queued {
            true => Flushed::COMPLETE.with_time_out(),
            false => Flushed::COMPLETE,
        };
        assert_eq!(
            flushed, expected,
            "a flush (left) times out while its exporter hangs, and is complete where nothing waits (right)"
        );
        let took = began.elapsed();
        assert!(took < SHORT + PATIENCE / 4, "the flush took {took:?}");
    }
    kit.wait_for(1 + usize::from(!queued));
    kit.backend.release();
    named(&kit.arrived(2), "held up");
}

/// Reports so many spans, which must not block.
fn flood(tracing: &HttpTracing, count: usize) {
    let tracing = tracing.clone();
    in_time("reporting into a full queue", move || {
        for number in 0..count {
            tracing.span(format!("{number}")).start().finish();
        }
    });
}

#[track_caller]
fn assert_distinct(spans: &[ReceivedSpan]) {
    let names: HashSet<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names.len(), spans.len(), "a span arrived twice");
}

/// While the exporter hangs, reporting blocks nobody; the queue holds what it promises, what finds no room is counted at
/// once, and every other span arrives. A tracer that delivers at once drops nothing.
pub fn full_queue_drops_and_counts<B: Backend>() {
    let kit = Kit::<B>::new();
    let Delivery::Queued { spans: bound } = B::CAPABILITIES.delivery else {
        flood(&kit.tracing, 1_000);
        assert_distinct(&kit.arrived(1_000));
        return;
    };
    kit.backend.stall();
    flood(&kit.tracing, bound);
    assert_eq!(kit.tracing.dropped(), 0, "there is room for all of them");
    flood(&kit.tracing, 3 * bound);
    let dropped = kit.tracing.dropped() as usize;
    assert!(
        (2 * bound..=3 * bound).contains(&dropped),
        "{dropped} of {} spans were dropped, and {bound} may wait",
        4 * bound
    );
    kit.backend.release();
    kit.deliver();
    kit.wait_for(4 * bound - dropped);
    assert_eq!(
        kit.tracing.dropped() as usize,
        dropped,
        "what finds no room is counted at once, and not later (left)"
    );
}

/// A tracer whose queue was full delivers again as soon as its exporter goes on, and drops nothing any more.
pub fn survives_a_full_queue<B: Backend>() {
    let kit = Kit::<B>::new();
    let Delivery::Queued { spans: bound } = B::CAPABILITIES.delivery else {
        flood(&kit.tracing, 1_000);
        kit.tracing.span("after").start().finish();
        named(&kit.arrived(1_001), "after");
        return;
    };
    for round in 1..=2 {
        kit.backend.stall();
        flood(&kit.tracing, 4 * bound);
        kit.backend.release();
        kit.deliver();
        let dropped = kit.tracing.dropped() as usize;
        let kept = round * 4 * bound - dropped + round - 1;
        kit.wait_for(kept);
        let name = format!("after {round}");
        kit.tracing.span(name.clone()).start().finish();
        kit.deliver();
        named(&kit.wait_for(kept + 1), &name);
        assert_eq!(
            kit.tracing.dropped() as usize,
            dropped,
            "nothing is dropped any more (left) after the exporter went on"
        );
    }
}

/// Spans that many threads report at once all arrive, each once and whole.
pub fn use_from_many_threads<B: Backend>() {
    const THREADS: usize = 16;
    const SPANS: usize = 500;
    let kit = Kit::<B>::new();
    // Never more at once than there is room for.
    let portion = match B::CAPABILITIES.delivery {
        Delivery::AtOnce => SPANS,
        Delivery::Queued { spans } => (spans / THREADS / 2).max(1),
    };
    let root = kit.tracing.span("root").start();
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (root, deliver, together) = (&*root, kit.delivers(), &together);
            scope.spawn(move || {
                together.wait();
                for number in 0..SPANS {
                    let span = root.child(format!("{thread}/{number}"));
                    span.set_tag("n", number as i64);
                    span.finish();
                    if number % portion == portion - 1 {
                        deliver();
                    }
                }
            });
        }
    });
    let parent = root.context().map(|context| context.span_id());
    let spans = kit.arrived(THREADS * SPANS);
    assert_distinct(&spans);
    for span in spans {
        assert_eq!(span.parent_id, parent, "the parent of {}", span.name);
        let number = span.name.split('/').nth(1).unwrap_or_default();
        let tag = span.tag("n").map(ToString::to_string);
        assert_eq!(tag.as_deref(), Some(number), "the tag of {}", span.name);
    }
}

/// A tracer can be shared with, and sent to, every thread.
pub fn is_send_and_sync<B: Backend>() {
    fn is_shared<T: Tracer + Send + Sync + 'static>() {}
    is_shared::<B::Tracer>();
    let kit = Kit::<B>::new();
    let tracing = kit.tracing.clone();
    let thread = thread::spawn(move || tracing.span("there").start().finish());
    thread.join().expect("it does not panic");
    assert_eq!(kit.only().name, "there", "the other thread's span");
}

/// Uses a tracer through a reference to it.
struct Borrowed<T>(T);

impl<T: Tracer> Tracer for Borrowed<T> {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        Tracer::sample(&&self.0, request)
    }

    fn started(&self, span: &Span) {
        Tracer::started(&&self.0, span);
    }

    fn report(&self, span: FinishedSpan) {
        Tracer::report(&&self.0, span);
    }

    fn flush(&self, timeout: Duration) -> Flushed {
        Tracer::flush(&&self.0, timeout)
    }

    fn end(&self, timeout: Duration) -> Flushed {
        Tracer::end(&&self.0, timeout)
    }

    fn attach(&self, diagnostics: &Diagnostics) {
        Tracer::attach(&&self.0, diagnostics);
    }

    fn dropped(&self) -> u64 {
        Tracer::dropped(&&self.0)
    }
}

/// A tracer does the same behind a reference, a box and a shared pointer, with its type known or not.
pub fn is_usable_behind_ref_box_and_arc<B: Backend>() {
    let kits = [
        Kit::<B>::within(Borrowed),
        Kit::within(Box::new),
        Kit::within(Arc::new),
        Kit::within(|tracer| Box::new(tracer) as Box<dyn Tracer>),
        Kit::within(|tracer| Arc::new(tracer) as Arc<dyn Tracer>),
    ];
    for kit in kits {
        let span = kit.tracing.span("work").start();
        span.child("part").finish();
        span.finish();
        let spans = kit.arrived(2);
        let work = named(&spans, "work").span_id;
        let parent = named(&spans, "part").parent_id;
        assert_eq!(parent, Some(work), "the parent of the part");
        let Delivery::Queued { spans: bound } = B::CAPABILITIES.delivery else {
            continue;
        };
        kit.backend.stall();
        flood(&kit.tracing, 4 * bound);
        assert!(
            kit.tracing.flush(SHORT).timed_out(),
            "a flush is handed on, so it times out while the exporter hangs"
        );
        assert!(kit.tracing.dropped() > 0, "the count is handed on");
        kit.backend.release();
        kit.deliver();
    }
}

/// Beside another tracer in a fan-out, both receive the same spans.
pub fn works_in_a_fan_out<B: Backend>() {
    let memory = InMemoryTracer::new();
    let beside = memory.clone();
    let kit = Kit::<B>::within(|tracer| FanOut::new().and(tracer).and(beside));
    let span = kit.tracing.span("work").tag("n", 1).start();
    span.child("part").finish();
    span.finish();
    let arrived = kit.arrived(2);
    let there: Vec<ReceivedSpan> = memory.finished().iter().map(ReceivedSpan::from).collect();
    for name in ["work", "part"] {
        let (here, there) = (named(&arrived, name), named(&there, name));
        let ids = |span: &ReceivedSpan| (span.trace_id, span.span_id, span.parent_id);
        assert_eq!(ids(here), ids(there), "both receive the ids of {name}");
        let rule = format!("both receive the tags of {name}");
        assert_in_order::<B>(&here.tags, there.tags.clone(), &rule);
    }
    memory.assert_nothing_unfinished();
}

/// Panics in every method.
struct Panics;

impl Tracer for Panics {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        std::panic::resume_unwind(Box::new("in sample"))
    }

    fn started(&self, _: &Span) {
        std::panic::resume_unwind(Box::new("in started"))
    }

    fn report(&self, _: FinishedSpan) {
        std::panic::resume_unwind(Box::new("in report"))
    }
}

/// Beside one that panics in a fan-out, the tracer receives everything.
pub fn a_panicking_tracer_beside_it_changes_nothing<B: Backend>() {
    let kit = Kit::<B>::within(|tracer| FanOut::new().and(Panics).and(tracer).and(Panics));
    kit.tracing.span("work").start().child("part").finish();
    kit.arrived(2);
}
