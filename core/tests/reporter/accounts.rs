//! Every reported span is delivered or dropped, once, for one reason.

use opentracing_http::FanOut;

use super::*;

/// Asserts that this many spans were reported, and that each was delivered or dropped.
#[track_caller]
fn assert_accounts(reporter: &Reporter, reported: u64) {
    let (delivered, dropped) = (reporter.delivered(), reporter.drops());
    let sum = delivered + dropped.total();
    assert_eq!(sum, reported, "{delivered} delivered, {dropped:?}");
}

fn report(reporter: &Reporter, spans: usize) {
    let span = stray("x");
    (0..spans).for_each(|_| reporter.report(span.clone()));
}

#[test]
fn a_batch_in_flight_at_the_deadline_of_a_shutdown_is_dropped_for_a_reason_of_its_own() {
    for (spans, batch) in [(100, 100), (2000, 512)] {
        let (_, reporter, backend) = start(prompt().batch_spans(batch));
        report(&reporter, spans);
        assert_eq!(backend.batch().len(), batch);
        let lost = Flushed::COMPLETE.with_lost(spans as u64);
        assert_eq!(reporter.shutdown(Duration::ZERO), lost.with_time_out());
        let drops = reporter.drops();
        assert_eq!(drops.in_flight, batch as u64);
        assert_eq!(drops.shut_down, (spans - batch) as u64);
        assert_accounts(&reporter, spans as u64);
    }
}

#[test]
fn a_delivery_after_the_deadline_of_a_shutdown_is_not_counted() {
    let answers: [fn() -> Result<(), ExportError>; 5] = [
        || Ok(()),
        || Err(ExportError::retry("busy")),
        || Err(ExportError::retry("busy").delivered(2)),
        || Err(ExportError::rejected("no").delivered(1)),
        || panic!("in the exporter"),
    ];
    for answer in answers {
        let (_, reporter, backend) = start(prompt().batch_spans(4));
        report(&reporter, 4);
        assert_eq!(backend.batch().len(), 4);
        backend.answer(|| Err(ExportError::retry("busy").delivered(1)));
        assert_eq!(backend.batch().len(), 3);
        let flushed = reporter.shutdown(Duration::ZERO);
        assert_eq!((flushed.timed_out(), flushed.lost()), (true, 3));
        backend.answer(answer);
        assert_eq!(backend.event(), Event::Shutdown);
        assert_eq!(backend.event(), Event::Dropped);
        assert_eq!((reporter.delivered(), reporter.drops().in_flight), (1, 3));
        assert_accounts(&reporter, 4);
    }
}

#[test]
fn whatever_an_exporter_does_each_span_is_delivered_or_dropped() {
    // The flush alone makes a batch due.
    let (_, reporter, backend) = start(prompt().batch_spans(100).retries(1));
    let mut reported = 0;
    let busy = |delivered| move || Err(ExportError::retry("busy").delivered(delivered));
    let no = |delivered| move || Err(ExportError::rejected("no").delivered(delivered));
    let part = |delivered, refused| {
        move || {
            Err(ExportError::retry("no")
                .delivered(delivered)
                .refused(refused))
        }
    };
    let rounds: [(Vec<Answer>, u64, u64); 11] = [
        (vec![Box::new(part(1, 1)), Box::new(|| Ok(()))], 3, 1),
        (vec![Box::new(part(0, 4))], 0, 4),
        (vec![Box::new(|| Ok(()))], 4, 0),
        (vec![Box::new(no(0))], 0, 4),
        (vec![Box::new(no(3))], 3, 1),
        (vec![Box::new(no(100))], 4, 0),
        (vec![Box::new(busy(0)), Box::new(busy(0))], 0, 4),
        (vec![Box::new(busy(0)), Box::new(|| Ok(()))], 4, 0),
        (
            vec![Box::new(busy(1)), Box::new(busy(1)), Box::new(no(1))],
            3,
            1,
        ),
        (vec![Box::new(busy(4))], 4, 0),
        (
            vec![Box::new(busy(2)), Box::new(|| panic!("in the exporter"))],
            2,
            2,
        ),
    ];
    for (answers, delivered, lost) in rounds {
        let before = reporter.delivered();
        report(&reporter, 4);
        reported += 4;
        answers
            .into_iter()
            .for_each(|answer| backend.answer(answer));
        assert_eq!(reporter.flush(LONG), Flushed::COMPLETE.with_lost(lost));
        assert_eq!(reporter.delivered() - before, delivered);
        assert_accounts(&reporter, reported);
    }
}

#[test]
fn earlier_losses_are_not_counted_in_a_flush() {
    let (_, reporter, backend) = start(prompt().batch_spans(2).queue_spans(2));
    report(&reporter, 1);
    backend.answer(|| Err(ExportError::rejected("no")));
    assert_eq!(reporter.flush(LONG).lost(), 1);
    assert_eq!(backend.batch().len(), 1);
    report(&reporter, 2);
    assert_eq!(backend.batch().len(), 2);
    report(&reporter, 3);
    assert_eq!(reporter.drops().queue_full, 1);
    backend.accept();
    backend.accept();
    assert!(reporter.flush(LONG).is_complete());
    assert_accounts(&reporter, 6);
}

#[test]
fn a_flush_during_a_shutdown_counts_abandoned_spans() {
    let (_, reporter, backend) = start(prompt().queue_bytes(super::ends::SMALL));
    report(&reporter, 2);
    assert_eq!(backend.batch().len(), 1);
    let shutdown = thread::spawn({
        let reporter = reporter.clone();
        move || reporter.shutdown(Duration::from_secs(1))
    });
    super::ends::wait_for_shutdown(&reporter);
    assert_eq!(reporter.flush(LONG), Flushed::COMPLETE.with_lost(2));
    assert!(shutdown.join().unwrap().timed_out());
    assert!(reporter.flush(LONG).is_complete(), "nothing is left");
}

#[test]
fn each_tracer_of_a_fan_out_accounts_for_every_span() {
    let (exporter, works) = scripted();
    let working = prompt().build(exporter).unwrap();
    let (exporter, hangs) = scripted();
    let hanging = prompt().build(exporter).unwrap();
    let fan_out = FanOut::new().and(working.clone()).and(hanging.clone());
    let tracing = HttpTracing::new(fan_out);
    finish(&tracing, &["a", "b", "c"]);
    for _ in 0..3 {
        works.accept();
    }
    assert_eq!(hangs.batch(), ["a"]);
    let flushed = tracing.flush(Duration::from_millis(500));
    assert_eq!(flushed, Flushed::COMPLETE.with_time_out());
    assert!(working.shutdown(LONG).is_complete());
    assert_eq!(hanging.shutdown(Duration::ZERO).lost(), 3);
    assert_eq!((working.delivered(), hanging.delivered()), (3, 0));
    assert_eq!(tracing.dropped(), 3);
    assert_accounts(&working, 3);
    assert_accounts(&hanging, 3);
}

#[test]
fn a_flush_returns_when_its_spans_are_gone() {
    /// Signals to the test that it is being dropped, and waits for the test's signal.
    struct Gate(Sender<()>, Mutex<Receiver<()>>);

    impl Drop for Gate {
        fn drop(&mut self) {
            let _ = self.0.send(());
            let _ = self.1.lock().unwrap().recv();
        }
    }

    let (send_dropping, dropping) = channel();
    let (release, released) = channel();
    let gate = Gate(send_dropping, Mutex::new(released));
    let memory = InMemoryTracer::new();
    let policy = HttpTracing::builder(memory.clone()).on_start(move |_, _| {
        let _ = &gate;
    });
    // Only the span keeps its policy alive, and with it the gate.
    policy.build().unwrap().span("a").start().finish();
    let (_, reporter, backend) = start(prompt());
    reporter.report(memory.take().remove(0));
    assert_eq!(backend.batch(), ["a"]);
    backend.accept();
    dropping.recv_timeout(LONG).unwrap();
    assert_eq!(reporter.delivered(), 1);
    assert!(
        reporter.flush(Duration::ZERO).timed_out(),
        "the span is not gone yet"
    );
    release.send(()).unwrap();
    assert!(reporter.flush(LONG).is_complete());
}

#[test]
fn spans_that_are_reported_during_a_shutdown_are_counted_once() {
    struct Takes;

    impl Exporter for Takes {
        fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
            thread::yield_now();
            Ok(())
        }
    }

    for round in 0..50 {
        let reporter = prompt().batch_spans(8).build(Takes).unwrap();
        let barrier = Barrier::new(5);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    report(&reporter, 500);
                });
            }
            barrier.wait();
            reporter.shutdown(Duration::from_micros(10 * round));
        });
        assert_accounts(&reporter, 2000);
        assert_eq!(reporter.queued_spans(), 0);
    }
}
