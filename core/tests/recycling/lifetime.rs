//! Memory that is kept for later spans keeps no policy and no tracer alive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, Weak};
use std::thread;
use std::time::Duration;

use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::server::Instrumentation;
use opentracing_http::{FinishedSpan, Flushed, HttpTracing, Span, Tracer};

use crate::{SAMPLED, UNSAMPLED, request, serve, serve_many};

/// A tracer that records when it is dropped.
struct Watched {
    ended: Arc<AtomicUsize>,
    _alive: Arc<()>,
}

impl Tracer for Watched {
    fn report(&self, _: FinishedSpan) {}

    fn end(&self, _: Duration) -> Flushed {
        self.ended.fetch_add(1, Ordering::Relaxed);
        Flushed::COMPLETE
    }
}

fn watched() -> (HttpTracing, Arc<AtomicUsize>, Weak<()>) {
    let (ended, alive) = (Arc::default(), Arc::new(()));
    let weak = Arc::downgrade(&alive);
    let tracer = Watched {
        ended: Arc::clone(&ended),
        _alive: alive,
    };
    (HttpTracing::new(tracer), ended, weak)
}

fn is_gone(alive: &Weak<()>) -> bool {
    alive.upgrade().is_none()
}

#[test]
fn a_tracer_is_flushed_and_dropped_with_the_last_handle_while_threads_idle() {
    let (tracing, ended, alive) = watched();
    let served = Arc::new(Barrier::new(5));
    let threads: Vec<(Sender<()>, _)> = (0..4)
        .map(|_| {
            let (tracing, served) = (tracing.clone(), Arc::clone(&served));
            let (stop, stopped) = channel();
            let thread = thread::spawn(move || {
                serve_many(&tracing);
                drop(tracing);
                served.wait();
                // Idle, with its memory.
                let _ = stopped.recv();
                // The thread starts spans of the next policy.
                serve_many(&HttpTracing::new(opentracing_http::NoopTracer));
            });
            (stop, thread)
        })
        .collect();
    serve_many(&tracing);
    served.wait();
    assert!(!is_gone(&alive));
    assert_eq!(ended.load(Ordering::Relaxed), 0);
    drop(tracing);
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert!(is_gone(&alive));
    for (stop, thread) in threads {
        drop(stop);
        thread.join().unwrap();
    }
}

#[test]
fn a_span_that_outlives_its_policy_is_reported_and_takes_the_tracer_along() {
    let (tracing, ended, alive) = watched();
    serve_many(&tracing);
    let span = tracing.span("late").start();
    let kept = (*span).clone();
    drop(tracing);
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    assert!(!is_gone(&alive) && span.is_recording());
    span.child("later").finish();
    span.finish();
    assert!(!is_gone(&alive));
    drop(kept);
    assert!(is_gone(&alive));
}

#[test]
fn spans_that_end_on_other_threads_keep_no_tracer_alive() {
    let (tracing, _, alive) = watched();
    let (send, receive) = channel::<Span>();
    let (done, is_done) = channel();
    let other = thread::spawn(move || {
        for span in receive {
            drop(span);
        }
        done.send(()).unwrap();
        // Idle until the test's end, with memory of spans that other threads have started.
        thread::park();
    });
    let instrumentation = Instrumentation::new(&tracing, "test");
    for number in 0..1000 {
        let traceparent = if number % 2 == 0 { SAMPLED } else { UNSAMPLED };
        serve(&instrumentation, &request("/", traceparent), || {
            send.send(Span::current()).unwrap();
        });
    }
    drop((send, instrumentation));
    is_done.recv().unwrap();
    drop(tracing);
    assert!(is_gone(&alive));
    other.thread().unpark();
    other.join().unwrap();
}

#[test]
fn policies_that_come_and_go_on_many_threads_leave_nothing() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let mut gone = Vec::new();
                for _ in 0..50 {
                    let (tracing, _, alive) = watched();
                    let inner = {
                        let tracing = tracing.clone();
                        thread::spawn(move || serve_many(&tracing))
                    };
                    serve_many(&tracing);
                    inner.join().unwrap();
                    drop(tracing);
                    gone.push(alive);
                }
                assert!(gone.iter().all(is_gone));
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_background_reporter_and_its_exporter_end_with_the_last_handle() {
    struct Counts {
        spans: Arc<AtomicUsize>,
        _alive: Arc<()>,
    }
    impl Exporter for Counts {
        fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
            self.spans.fetch_add(batch.len(), Ordering::Relaxed);
            Ok(())
        }
    }
    let (spans, alive) = (Arc::<AtomicUsize>::default(), Arc::new(()));
    let weak = Arc::downgrade(&alive);
    let exporter = Counts {
        spans: Arc::clone(&spans),
        _alive: alive,
    };
    let tracing = HttpTracing::new(Reporter::with_defaults(exporter).unwrap());
    serve_many(&tracing);
    drop(tracing);
    assert_eq!(spans.load(Ordering::Relaxed), 200);
    assert!(is_gone(&weak));
}
