//! Losses are reported to the policy's hook.

use std::sync::atomic::{AtomicUsize, Ordering};

use opentracing_http::{Diagnostic, FanOut};

use super::*;

/// A policy whose hook sends its reports to the test.
fn policy_with_hook(tracer: impl Tracer + 'static) -> (HttpTracing, Receiver<String>) {
    let (send, told) = channel();
    let policy = HttpTracing::builder(tracer).on_diagnostic(move |diagnostic| {
        let _ = send.send(diagnostic.to_string());
    });
    (policy.build().unwrap(), told)
}

#[test]
fn the_first_loss_is_reported_at_once_with_its_cause_and_the_next_is_not() {
    let (exporter, backend) = scripted();
    let (tracing, told) = policy_with_hook(prompt().batch_spans(2).build(exporter).unwrap());
    finish(&tracing, &["a", "b"]);
    backend.answer(|| Err(ExportError::rejected("too large").delivered(1)));
    let text = told.recv_timeout(LONG).unwrap();
    let expected = "spans lost so far: 1 (rejected: 1); the last error: too large";
    assert_eq!(text, expected);
    for _ in 0..10 {
        finish(&tracing, &["c", "d"]);
        backend.answer(|| Err(ExportError::rejected("too large")));
        tracing.flush(LONG);
    }
    assert!(told.try_recv().is_err(), "a minute has not passed");
    assert_eq!(tracing.dropped(), 21);
}

#[test]
fn delivered_spans_are_not_reported_as_lost() {
    let (exporter, backend) = scripted();
    let (tracing, told) = policy_with_hook(prompt().build(exporter).unwrap());
    finish(&tracing, &["a"]);
    backend.answer(|| Err(ExportError::retry("busy")));
    backend.accept();
    assert!(tracing.flush(LONG).is_complete());
    drop((tracing, backend));
    assert_eq!(told.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_full_queue_is_reported_while_the_exporter_hangs() {
    let (exporter, backend) = scripted();
    let (tracing, told) = policy_with_hook(prompt().queue_spans(1).build(exporter).unwrap());
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    finish(&tracing, &["b", "c"]);
    assert_eq!(
        told.try_recv().unwrap(),
        "spans lost so far: 1 (queue full: 1)"
    );
    drop(backend);
}

#[test]
fn losses_of_a_shutdown_are_reported_before_it_returns() {
    let (exporter, backend) = scripted();
    let reporter = prompt().build(exporter).unwrap();
    let (tracing, told) = policy_with_hook(reporter.clone());
    finish(&tracing, &["a", "b"]);
    assert_eq!(backend.batch(), ["a"]);
    assert!(reporter.shutdown(Duration::ZERO).timed_out());
    let text = told.try_recv().unwrap();
    assert_eq!(text, "spans lost so far: 2 (shut down: 1, in flight: 1)");
}

#[test]
fn losses_are_reported_through_pointers_and_fan_outs() {
    let wraps: [fn(Reporter) -> Box<dyn Tracer>; 4] = [
        |reporter| Box::new(Arc::new(reporter)),
        |reporter| Box::new(Arc::new(reporter) as Arc<dyn Tracer>),
        |reporter| Box::new(FanOut::new().and(reporter)),
        |reporter| {
            let hidden: Arc<dyn Tracer> = Arc::new(FanOut::new().and(Box::new(reporter)));
            Box::new(FanOut::new().and(InMemoryTracer::new()).and(hidden))
        },
    ];
    for wrap in wraps {
        let (exporter, backend) = scripted();
        let (tracing, told) = policy_with_hook(wrap(prompt().build(exporter).unwrap()));
        finish(&tracing, &["a"]);
        backend.answer(|| Err(ExportError::rejected("no")));
        told.recv_timeout(LONG).unwrap();
        assert!(told.try_recv().is_err(), "once");
    }
}

#[test]
fn losses_are_reported_to_each_policy_of_a_shared_reporter_that_has_not_ended() {
    let (exporter, backend) = scripted();
    let reporter = prompt().build(exporter).unwrap();
    let (one, told_one) = policy_with_hook(reporter.clone());
    let (other, told_other) = policy_with_hook(reporter.clone());
    let (ended, told_ended) = policy_with_hook(reporter);
    drop(ended);
    finish(&one, &["a"]);
    backend.answer(|| Err(ExportError::rejected("no")));
    for told in [told_one, told_other] {
        told.recv_timeout(LONG).unwrap();
    }
    assert!(told_ended.try_recv().is_err());
    drop(other);
}

#[test]
fn a_panic_of_the_hook_is_counted_and_harms_nobody() {
    let (exporter, backend) = scripted();
    let reporter = prompt().build(exporter).unwrap();
    let policy = HttpTracing::builder(reporter).on_diagnostic(|_| panic!("in the hook"));
    let tracing = policy.build().unwrap();
    finish(&tracing, &["a"]);
    backend.answer(|| Err(ExportError::rejected("no")));
    tracing.flush(LONG);
    assert_eq!((tracing.dropped(), tracing.caught_panics()), (1, 1));
    finish(&tracing, &["b"]);
    backend.accept();
    assert!(tracing.flush(LONG).is_complete());
}

/// A hook that ends spans and flushes while it holds a lock that cannot be taken twice.
#[test]
fn a_hook_that_itself_loses_spans_is_not_called_by_itself() {
    // On the request's thread with a full queue, on the reporter's with a batch that is refused.
    for is_full in [true, false] {
        let policy = Arc::<Mutex<Option<HttpTracing>>>::default();
        let calls = Arc::<AtomicUsize>::default();
        let (send, told) = channel();
        let backends = [scripted(), scripted()].map(|(exporter, backend)| {
            let reporter = prompt().queue_spans(1).build(exporter).unwrap();
            (reporter, backend)
        });
        let [(first, backend), (second, other)] = backends;
        let hook = {
            let (policy, calls) = (policy.clone(), calls.clone());
            move |_: &Diagnostic| {
                let policy = policy.try_lock().unwrap();
                calls.fetch_add(1, Ordering::Relaxed);
                if let Some(tracing) = &*policy {
                    // Each of the two queues has no room for one of these spans.
                    finish(tracing, &["x", "y", "z"]);
                    tracing.flush(Duration::ZERO);
                }
                drop(policy);
                let _ = send.send(());
            }
        };
        let fan_out = FanOut::new().and(first.clone()).and(second.clone());
        let builder = HttpTracing::builder(fan_out).on_diagnostic(hook);
        let tracing = builder.build().unwrap();
        *policy.lock().unwrap() = Some(tracing.clone());
        finish(&tracing, &["a"]);
        assert_eq!(
            (backend.batch(), other.batch()),
            (vec!["a".into()], vec!["a".into()])
        );
        match is_full {
            true => finish(&tracing, &["b", "c"]),
            false => backend.answer(|| Err(ExportError::rejected("no"))),
        }
        told.recv_timeout(LONG).unwrap();
        assert!(first.drops().total() > 0 && second.drops().total() > 0);
        // The second reporter's first loss came from within the hook. It is part of its next report.
        finish(&tracing, &["d", "e"]);
        told.recv_timeout(LONG).unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        assert_eq!(tracing.caught_panics(), 0);
        drop((backend, other));
        policy.lock().unwrap().take();
    }
}
