//! The background reporter, with a backend that the test controls.

#![allow(clippy::unwrap_used)]

mod accounts;
mod diagnostics;
mod ends;
mod environment;
mod late_baggage;
mod own_spans;
mod setup;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentracing_http::report::{Drops, ExportError, Exporter, Reporter, ReporterBuilder};
use opentracing_http::{FinishedSpan, Flushed, HttpTracing, InMemoryTracer, Tracer};

/// A timeout that is longer than any step takes if nothing is broken.
const LONG: Duration = Duration::from_secs(30);
/// A pause or interval that no test waits for.
const NEVER: Duration = Duration::from_secs(3600);

type Answer = Box<dyn FnOnce() -> Result<(), ExportError> + Send>;

/// Sends each batch to the test, then returns what the test decides.
struct Scripted {
    events: Sender<Event>,
    answers: Receiver<Answer>,
}

#[derive(Debug, PartialEq)]
enum Event {
    Batch(Vec<String>),
    Shutdown,
    Dropped,
}

impl Exporter for Scripted {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        let names = batch.iter().map(|span| span.name().to_owned()).collect();
        let _ = self.events.send(Event::Batch(names));
        // After the test's last decision, every batch is accepted.
        self.answers.recv().map_or(Ok(()), |answer| answer())
    }

    fn shutdown(&mut self) {
        let _ = self.events.send(Event::Shutdown);
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Dropped);
    }
}

/// The test's end of a [`Scripted`] exporter.
struct Backend {
    events: Receiver<Event>,
    answers: Sender<Answer>,
}

impl Backend {
    fn event(&self) -> Event {
        self.events.recv_timeout(LONG).unwrap()
    }

    /// The next batch; the exporter waits for the test's decision.
    #[track_caller]
    fn batch(&self) -> Vec<String> {
        match self.event() {
            Event::Batch(names) => names,
            event => panic!("{event:?}"),
        }
    }

    fn answer(&self, answer: impl FnOnce() -> Result<(), ExportError> + Send + 'static) {
        self.answers.send(Box::new(answer)).unwrap();
    }

    fn accept(&self) {
        self.answer(|| Ok(()));
    }

    fn is_quiet(&self) -> bool {
        self.events.try_recv().is_err()
    }
}

fn scripted() -> (Scripted, Backend) {
    let (send_event, events) = channel();
    let (answers, receive_answer) = channel();
    let exporter = Scripted {
        events: send_event,
        answers: receive_answer,
    };
    (exporter, Backend { events, answers })
}

/// Batches are due by count only, retries come at once, and a shutdown does not wait for a backend that hangs.
fn prompt() -> ReporterBuilder {
    Reporter::builder()
        .batch_spans(1)
        .batch_interval(NEVER)
        .backoff(Duration::from_nanos(1), Duration::from_nanos(1))
        .shutdown_timeout(Duration::ZERO)
}

fn start(builder: ReporterBuilder) -> (HttpTracing, Reporter, Backend) {
    let (exporter, backend) = scripted();
    let reporter = builder.build(exporter).unwrap();
    (HttpTracing::new(reporter.clone()), reporter, backend)
}

fn finish(tracing: &HttpTracing, names: &[&'static str]) {
    for name in names {
        tracing.span(*name).start().finish();
    }
}

/// A span that keeps no reporter alive: it was reported to another tracer.
fn stray(name: &'static str) -> FinishedSpan {
    let tracer = InMemoryTracer::new();
    HttpTracing::new(tracer.clone()).span(name).start().finish();
    tracer.take().remove(0)
}

#[test]
fn a_batch_is_sent_when_it_is_full() {
    let (tracing, _, backend) = start(prompt().batch_spans(3));
    finish(&tracing, &["a", "b"]);
    assert!(backend.is_quiet());
    finish(&tracing, &["c", "d"]);
    assert_eq!(backend.batch(), ["a", "b", "c"]);
    backend.accept();
    finish(&tracing, &["e", "f"]);
    assert_eq!(backend.batch(), ["d", "e", "f"]);
    backend.accept();
}

#[test]
fn a_batch_is_sent_when_it_is_full_in_bytes() {
    let size = stray("a").size();
    let (tracing, _, backend) = start(prompt().batch_spans(1000).batch_bytes(2 * size));
    finish(&tracing, &["a", "b"]);
    assert_eq!(backend.batch(), ["a", "b"]);
    // Spans that were reported meanwhile are sent in batches of the same size.
    finish(&tracing, &["c", "d", "e", "f"]);
    backend.accept();
    assert_eq!(backend.batch(), ["c", "d"]);
    backend.accept();
    assert_eq!(backend.batch(), ["e", "f"]);
    backend.accept();
}

#[test]
fn a_batch_is_sent_when_its_time_has_come() {
    let (tracing, _, backend) = start(
        prompt()
            .batch_spans(1000)
            .batch_interval(Duration::from_millis(1)),
    );
    for name in ["a", "b"] {
        finish(&tracing, &[name]);
        assert_eq!(backend.batch(), [name]);
        backend.accept();
    }
}

#[test]
fn a_flush_sends_what_has_been_reported() {
    let (tracing, _, backend) = start(prompt().batch_spans(2).queue_spans(1000));
    finish(&tracing, &["a", "b", "c"]);
    for _ in 0..2 {
        backend.accept();
    }
    assert!(tracing.flush(LONG).is_complete());
    assert_eq!(
        [backend.batch(), backend.batch()],
        [vec!["a", "b"], vec!["c"]]
    );
    assert!(
        tracing.flush(Duration::ZERO).is_complete(),
        "there is nothing left to send"
    );
    assert_eq!(tracing.dropped(), 0);
}

#[test]
fn a_flush_does_not_wait_for_spans_that_come_after_it() {
    let (tracing, reporter, backend) = start(prompt());
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    let flush = thread::spawn({
        let tracing = tracing.clone();
        move || tracing.flush(LONG)
    });
    backend.accept();
    assert!(flush.join().unwrap().is_complete());
    finish(&tracing, &["b"]);
    assert_eq!(backend.batch(), ["b"]);
    assert!(
        reporter.flush(Duration::from_millis(1)).timed_out(),
        "this one is not delivered yet"
    );
    backend.accept();
}

#[test]
fn a_flush_returns_its_losses() {
    let (tracing, _, backend) = start(prompt().batch_spans(100));
    finish(&tracing, &["a"]);
    backend.answer(|| Err(ExportError::rejected("no")));
    assert_eq!(tracing.flush(LONG), Flushed::COMPLETE.with_lost(1));
    finish(&tracing, &["b"]);
    backend.accept();
    assert!(
        tracing.flush(LONG).is_complete(),
        "the loss came before this flush"
    );
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (tracing, reporter, backend) = start(prompt().queue_spans(2));
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    finish(&tracing, &["b", "c", "d", "e"]);
    assert_eq!(reporter.queued_spans(), 2);
    assert_eq!(reporter.drops().queue_full, 2);
    assert_eq!(tracing.dropped(), 2);
    for name in ["b", "c"] {
        backend.accept();
        assert_eq!(backend.batch(), [name]);
    }
    backend.accept();
    assert!(tracing.flush(LONG).is_complete());
}

#[test]
fn a_queue_that_is_full_in_bytes_drops_and_counts() {
    let size = stray("a").size();
    let (tracing, reporter, backend) = start(prompt().batch_spans(100).queue_bytes(3 * size));
    let large = tracing.span("large").start();
    large.set_tag("text", "x".repeat(4 * size));
    finish(&tracing, &["a"]);
    assert_eq!(reporter.queued_bytes(), size);
    // It can never fit. It still makes a batch due, so that there is room for other spans.
    large.finish();
    assert_eq!(reporter.drops().queue_full, 1);
    assert_eq!(backend.batch(), ["a"]);
    backend.accept();
}

#[test]
fn a_batch_is_offered_again_as_often_as_allowed() {
    let (tracing, reporter, backend) = start(prompt().retries(2));
    finish(&tracing, &["a"]);
    for _ in 0..2 {
        assert_eq!(backend.batch(), ["a"]);
        backend.answer(|| Err(ExportError::retry("busy")));
    }
    assert_eq!(backend.batch(), ["a"]);
    backend.accept();
    assert!(tracing.flush(LONG).is_complete());
    assert_eq!(tracing.dropped(), 0);

    finish(&tracing, &["b"]);
    for _ in 0..3 {
        assert_eq!(backend.batch(), ["b"]);
        backend.answer(|| Err(ExportError::retry("busy").after(Duration::from_millis(1))));
    }
    finish(&tracing, &["c"]);
    assert_eq!(backend.batch(), ["c"]);
    backend.accept();
    assert_eq!(reporter.drops().failed, 1);
    assert_eq!(tracing.dropped(), 1);
}

#[test]
fn other_spans_wait_while_a_batch_is_retried() {
    let (tracing, reporter, backend) = start(prompt());
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    finish(&tracing, &["b", "c"]);
    assert_eq!(reporter.queued_spans(), 2);
    backend.answer(|| Err(ExportError::retry("busy")));
    assert_eq!(backend.batch(), ["a"]);
    backend.accept();
    for name in ["b", "c"] {
        assert_eq!(backend.batch(), [name]);
        backend.accept();
    }
}

#[test]
fn a_flush_ends_the_pause_before_a_retry() {
    let (tracing, _, backend) = start(prompt().backoff(NEVER, NEVER));
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    backend.answer(|| Err(ExportError::retry("restarting")));
    // The first flush may come before the pause has begun, too early to end it.
    while tracing.flush(Duration::from_millis(1)).timed_out() {
        if let Ok(event) = backend.events.try_recv() {
            assert_eq!(event, Event::Batch(vec!["a".to_owned()]));
            backend.accept();
        }
    }
    assert_eq!(tracing.dropped(), 0);
}

#[test]
fn a_retry_waits_for_its_pause() {
    let pause = Duration::from_millis(40);
    let (tracing, _, backend) = start(prompt().backoff(pause, pause).retries(2));
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    // The reporter shortens its pause at random, by up to a half.
    for (asked, least) in [(None, pause / 2), (Some(pause), pause)] {
        let began = Instant::now();
        backend.answer(move || {
            let error = ExportError::retry("busy");
            Err(match asked {
                Some(asked) => error.after(asked),
                None => error,
            })
        });
        assert_eq!(backend.batch(), ["a"]);
        assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    }
    backend.accept();
}

#[test]
fn what_comes_during_a_flush_waits_for_its_batch() {
    let (tracing, reporter, backend) = start(prompt().batch_spans(100));
    finish(&tracing, &["a"]);
    let flush = thread::spawn({
        let reporter = reporter.clone();
        move || reporter.flush(LONG)
    });
    assert_eq!(backend.batch(), ["a"]);
    finish(&tracing, &["b"]);
    backend.accept();
    assert!(flush.join().unwrap().is_complete());
    assert_eq!(reporter.queued_spans(), 1);
    finish(&tracing, &["c"]);
    backend.accept();
    assert!(reporter.flush(LONG).is_complete());
    assert_eq!(backend.batch(), ["b", "c"]);
}

#[test]
fn what_was_delivered_of_a_batch_is_not_offered_again() {
    let (tracing, _, backend) = start(prompt().batch_spans(4).retries(2));
    finish(&tracing, &["a", "b", "c", "d"]);
    assert_eq!(backend.batch(), ["a", "b", "c", "d"]);
    backend.answer(|| Err(ExportError::retry("busy").delivered(1)));
    assert_eq!(backend.batch(), ["b", "c", "d"]);
    // Progress resets the count of retries.
    backend.answer(|| Err(ExportError::retry("busy").delivered(2)));
    assert_eq!(backend.batch(), ["d"]);
    backend.answer(|| Err(ExportError::retry("busy")));
    assert_eq!(backend.batch(), ["d"]);
    backend.accept();
    assert!(tracing.flush(LONG).is_complete());
    assert_eq!(tracing.dropped(), 0);
}

#[test]
fn what_was_refused_of_a_batch_is_counted_and_the_rest_offered_again() {
    let (tracing, reporter, backend) = start(prompt().batch_spans(5).retries(1));
    finish(&tracing, &["a", "b", "c", "d", "e"]);
    assert_eq!(backend.batch().len(), 5);
    backend.answer(|| Err(ExportError::retry("busy").delivered(1).refused(2)));
    assert_eq!(backend.batch(), ["d", "e"]);
    assert_eq!(reporter.drops().rejected, 2);
    // A refusal counts as progress and resets the count of retries.
    backend.answer(|| Err(ExportError::retry("busy").refused(1)));
    assert_eq!(backend.batch(), ["e"]);
    backend.answer(|| Err(ExportError::retry("busy").refused(100)));
    tracing.flush(LONG);
    assert_eq!((reporter.delivered(), reporter.drops().rejected), (1, 4));
    // All other spans of a rejected batch are lost.
    finish(&tracing, &["a", "b", "c", "d", "e"]);
    assert_eq!(backend.batch().len(), 5);
    backend.answer(|| Err(ExportError::rejected("no").delivered(2).refused(1)));
    tracing.flush(LONG);
    assert_eq!((reporter.delivered(), reporter.drops().rejected), (3, 7));
}

#[test]
fn a_rejected_batch_is_given_up_and_counted() {
    let (tracing, reporter, backend) = start(prompt().batch_spans(4));
    for (delivered, dropped) in [(0, 4), (3, 5), (4, 5), (100, 5)] {
        finish(&tracing, &["a", "b", "c", "d"]);
        assert_eq!(backend.batch().len(), 4);
        backend.answer(move || Err(ExportError::rejected("too large").delivered(delivered)));
        tracing.flush(LONG);
        assert_eq!(reporter.drops().rejected, dropped);
    }
    assert_eq!(tracing.dropped(), 5);
}

#[test]
fn a_panic_loses_the_batch_and_not_the_thread() {
    let (tracing, reporter, backend) = start(prompt());
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    backend.answer(|| panic!("in the exporter"));
    finish(&tracing, &["b"]);
    assert_eq!(backend.batch(), ["b"]);
    backend.accept();
    tracing.flush(LONG);
    assert_eq!((reporter.drops().panicked, tracing.dropped()), (1, 1));
}

#[test]
fn errors_are_passed_to_the_callback() {
    let (send, errors) = channel();
    let (tracing, _, backend) = start(prompt().on_error(move |error| {
        send.send((error.to_string(), error.is_retry())).unwrap();
        panic!("in the callback");
    }));
    finish(&tracing, &["a"]);
    backend.answer(|| Err(ExportError::retry(std::io::Error::other("busy"))));
    backend.answer(|| Err(ExportError::rejected("no")));
    assert_eq!(
        errors.recv_timeout(LONG).unwrap(),
        ("busy".to_owned(), true)
    );
    assert_eq!(errors.recv_timeout(LONG).unwrap(), ("no".to_owned(), false));
    tracing.flush(LONG);
    assert_eq!(tracing.dropped(), 1);
}

#[test]
fn many_threads_report_and_nothing_is_lost_uncounted() {
    struct Counts(Arc<Mutex<u64>>);

    impl Exporter for Counts {
        fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
            *self.0.lock().unwrap() += batch.len() as u64;
            Ok(())
        }
    }

    let delivered = Arc::<Mutex<u64>>::default();
    let builder = Reporter::builder()
        .queue_spans(64)
        .batch_spans(16)
        .batch_interval(Duration::from_millis(1));
    let reporter = builder.build(Counts(delivered.clone())).unwrap();
    let tracing = HttpTracing::new(reporter.clone());
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for number in 0..2000 {
                    tracing.span("work").start().finish();
                    if number % 500 == 0 {
                        assert!(tracing.flush(LONG).is_complete());
                    }
                }
            });
        }
    });
    assert!(tracing.flush(LONG).is_complete());
    let drops = reporter.drops();
    assert_eq!(*delivered.lock().unwrap(), reporter.delivered());
    assert_eq!(reporter.delivered() + drops.queue_full, 16_000);
    assert_eq!(drops.total(), drops.queue_full);
}
