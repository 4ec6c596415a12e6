//! One tracer under test, and what is asserted of every case.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use opentracing_http::{
    Clock, HttpTracing, HttpTracingBuilder, SpanContext, SpanId, Tag, TraceFlags, TraceId, Tracer,
};

use crate::tracer::{Backend, Feature, PATIENCE, ReceivedSpan};

/// The span that closes what a case looks at.
const LAST: &str = "last";

/// One tracer under test.
#[derive(Debug)]
pub(crate) struct Kit<B> {
    pub(crate) tracing: HttpTracing,
    pub(crate) backend: B,
    /// How many spans of our own were sent.
    closed: Cell<usize>,
    /// Whether a flush that had all the time was not complete.
    refused: AtomicBool,
}

impl<B: Backend> Kit<B> {
    /// The tracer with the default policy.
    pub(crate) fn new() -> Self {
        Self::with(|policy| policy)
    }

    /// The tracer with another policy.
    pub(crate) fn with(change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Self {
        Self::start(|tracer| change(HttpTracing::builder(tracer)))
    }

    /// The tracer in something else.
    pub(crate) fn within<T: Tracer + 'static>(wrap: impl FnOnce(B::Tracer) -> T) -> Self {
        Self::start(|tracer| HttpTracing::builder(wrap(tracer)))
    }

    /// The tracer with a clock that stands still until the case moves it.
    pub(crate) fn timed() -> (Self, Hands) {
        let hands = Hands::default();
        let kit = Self::with(|policy| policy.clock(hands.clone()));
        (kit, hands)
    }

    fn start(policy: impl FnOnce(B::Tracer) -> HttpTracingBuilder) -> Self {
        B::CAPABILITIES.check();
        let (backend, tracer) = B::start();
        let tracing = policy(tracer).build().expect("the policy is right");
        Self {
            tracing,
            backend,
            closed: Cell::new(0),
            refused: AtomicBool::new(false),
        }
    }

    /// Flushes the tracer. What the flush returns matters in its own cases only: the others look at what arrives.
    pub(crate) fn deliver(&self) {
        self.delivers()();
    }

    /// The same, to be done by any thread.
    pub(crate) fn delivers(&self) -> impl Fn() + Send + Sync + use<'_, B> {
        let (tracing, refused) = (&self.tracing, &self.refused);
        || {
            if !tracing.flush(PATIENCE).is_complete() {
                refused.store(true, Ordering::Relaxed);
            }
        }
    }

    /// What has arrived when so many were to, sorted out where it is not so many.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<ReceivedSpan> {
        self.counted(count, self.backend.arrived(count))
    }

    /// These spans, which must be so many.
    #[track_caller]
    fn counted(&self, count: usize, spans: Vec<ReceivedSpan>) -> Vec<ReceivedSpan> {
        assert!(
            spans.len() == count,
            "{count} spans were to arrive, and {} did{}:{}",
            spans.len(),
            self.hint(),
            Listed(&spans)
        );
        spans
    }

    fn hint(&self) -> &'static str {
        match self.refused.load(Ordering::Relaxed) {
            true => " (a flush was not complete: see the case `flush_delivers`)",
            false => "",
        }
    }

    /// What has arrived, which is so many spans and no more, nothing lost.
    #[track_caller]
    pub(crate) fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        self.counted(count, self.close(count))
    }

    /// What has arrived, which is one span of each of these names and no other, nothing lost.
    #[track_caller]
    pub(crate) fn each_arrived(&self, names: &[String]) -> Vec<ReceivedSpan> {
        let spans = self.close(names.len());
        let times = |name: &String| spans.iter().filter(|span| span.name == *name).count();
        let missing: Vec<_> = names.iter().filter(|name| times(name) == 0).collect();
        let doubled: Vec<_> = names.iter().filter(|name| times(name) > 1).collect();
        let unexpected = spans.iter().filter(|span| !names.contains(&span.name));
        let unexpected: Vec<_> = unexpected.cloned().collect();
        assert!(
            missing.is_empty() && doubled.is_empty() && unexpected.is_empty(),
            "each of {} spans was to arrive once{}; missing: {missing:?}; more than once: {doubled:?}; unexpected:{}",
            names.len(),
            self.hint(),
            Listed(&unexpected)
        );
        spans
    }

    #[track_caller]
    fn close(&self, count: usize) -> Vec<ReceivedSpan> {
        // Sent last: whatever should not have come came before it.
        let last = self.tracing.span(LAST).root();
        last.tag("sampling.priority", 1).start().finish();
        self.closed.set(self.closed.get() + 1);
        self.deliver();
        let mut spans = self.backend.arrived(count + self.closed.get());
        let panics = self.tracing.caught_panics();
        assert_eq!(panics, 0, "the tracer panicked");
        let dropped = self.tracing.dropped();
        assert_eq!(dropped, 0, "nothing was to be dropped{}", self.hint());
        let all = spans.len();
        spans.retain(|span| span.name != LAST);
        assert!(
            all - spans.len() == self.closed.get(),
            "the span that the kit reported last was to arrive, too{}; this did:{}",
            self.hint(),
            Listed(&spans)
        );
        spans
    }

    /// The one span that has arrived.
    #[track_caller]
    pub(crate) fn only(&self) -> ReceivedSpan {
        self.arrived(1).remove(0)
    }
}

/// The span of this name.
#[track_caller]
pub(crate) fn named<'a>(spans: &'a [ReceivedSpan], name: &str) -> &'a ReceivedSpan {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next();
    assert!(found.next().is_none(), "two spans are called {name}");
    span.unwrap_or_else(|| panic!("no span is called {name}; these arrived:{}", Listed(spans)))
}

/// The fields of the span's log at this position.
#[track_caller]
pub(crate) fn fields(span: &ReceivedSpan, place: usize) -> &[Tag] {
    let log = span.logs.get(place);
    let log = log.unwrap_or_else(|| {
        let (name, logs) = (&span.name, &span.logs);
        panic!("log {place} of the span {name} did not arrive; these did: {logs:?}")
    });
    &log.fields
}

/// Asserts that exactly these tags of a span, or fields of a log, arrived: in this order if the tracer keeps it.
#[track_caller]
pub(crate) fn assert_in_order<B: Backend>(
    arrived: &[Tag],
    expected: impl IntoIterator<Item: Into<Tag>>,
    rule: &str,
) {
    let (mut arrived, mut expected) = (arrived.to_vec(), B::CAPABILITIES.tags(expected));
    if expected.len() > 1 && !B::CAPABILITIES.has(Feature::TagOrder) {
        for tags in [&mut arrived, &mut expected] {
            tags.sort_by_key(|tag| (tag.key.clone(), tag.value.to_string()));
        }
    }
    assert_eq!(arrived, expected, "{rule}");
}

/// Spans by name and ids, a line for each of the first.
struct Listed<'a>(&'a [ReceivedSpan]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for span in self.0.iter().take(SHOWN) {
            let (trace_id, span_id) = (span.trace_id, span.span_id);
            write!(f, "\n  {:?}, trace {trace_id}, span {span_id}", span.name)?;
        }
        match self.0.len() {
            0 => f.write_str(" none"),
            all if all > SHOWN => write!(f, "\n  and {} more", all - SHOWN),
            _ => Ok(()),
        }
    }
}

/// A span of another process.
pub(crate) fn elsewhere(trace_id: u128, span_id: u64, flags: TraceFlags) -> SpanContext {
    SpanContext::new(
        TraceId::new(trace_id).expect("not zero"),
        SpanId::new(span_id).expect("not zero"),
        flags,
    )
}

/// Runs what must not block; fails, instead of hanging, if it does.
pub(crate) fn in_time<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, done) = channel();
    let thread = thread::spawn(move || {
        let _ = send.send(f());
    });
    match done.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("{what} does not return"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it sends, or it panics"),
        },
    }
}

/// A clock that stands still until the case moves it.
#[derive(Debug, Clone)]
pub(crate) struct Hands(Arc<Mutex<(SystemTime, Duration)>>);

impl Default for Hands {
    fn default() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
        Self(Arc::new(Mutex::new((start, Duration::from_secs(7)))))
    }
}

impl Hands {
    fn change(&self, change: impl FnOnce(&mut (SystemTime, Duration))) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.change(|(wall, monotonic)| {
            *wall += time;
            *monotonic += time;
        });
    }

    /// What an operator does: the time of day changes, and no time passes.
    pub(crate) fn set_back(&self, time: Duration) {
        self.change(|(wall, _)| *wall -= time);
    }
}

impl Clock for Hands {
    fn wall(&self) -> SystemTime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
