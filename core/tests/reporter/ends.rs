//! How a reporter ends.

use super::*;

#[test]
fn dropping_the_last_handle_delivers_what_is_queued() {
    let (exporter, backend) = scripted();
    let reporter = prompt()
        .batch_spans(2)
        .shutdown_timeout(LONG)
        .build(exporter)
        .unwrap();
    let other = reporter.clone();
    for name in ["a", "b", "c"] {
        reporter.report(stray(name));
    }
    drop(reporter);
    other.report(stray("d"));
    other.report(stray("e"));
    for _ in 0..3 {
        backend.accept();
    }
    drop(other);
    let batches = [vec!["a", "b"], vec!["c", "d"], vec!["e"]];
    for batch in batches {
        assert_eq!(backend.batch(), batch);
    }
    assert_eq!(backend.event(), Event::Shutdown);
    assert_eq!(backend.event(), Event::Dropped);
}

#[test]
fn dropping_the_last_handle_does_not_wait_for_an_exporter_that_hangs() {
    let (exporter, backend) = scripted();
    let reporter = prompt()
        .shutdown_timeout(Duration::from_millis(20))
        .build(exporter)
        .unwrap();
    reporter.report(stray("a"));
    reporter.report(stray("b"));
    assert_eq!(backend.batch(), ["a"]);
    let began = Instant::now();
    drop(reporter);
    assert!(began.elapsed() < LONG);
    // Left to itself, it ends as soon as it can, and sends no more.
    backend.accept();
    assert_eq!(backend.event(), Event::Shutdown);
    assert_eq!(backend.event(), Event::Dropped);
}

#[test]
fn a_shutdown_retries_at_once_and_gives_up_in_time() {
    let (tracing, reporter, backend) = start(prompt().backoff(NEVER, NEVER).retries(1000));
    finish(&tracing, &["a", "b"]);
    let shutdown = thread::spawn({
        let reporter = reporter.clone();
        move || reporter.shutdown(Duration::from_millis(100))
    });
    // The pause is cut to what is left of the time.
    while let Event::Batch(names) = backend.event() {
        assert_eq!(names, ["a"]);
        backend.answer(|| Err(ExportError::retry("down").after(NEVER)));
    }
    assert!(!shutdown.join().unwrap());
    assert_eq!(backend.event(), Event::Dropped);
    assert_eq!(reporter.drops().shut_down, 2);
}

#[test]
fn a_shutdown_ends_the_reporter_for_all_handles() {
    let (tracing, reporter, backend) = start(prompt().batch_spans(100));
    finish(&tracing, &["a"]);
    backend.accept();
    assert!(reporter.shutdown(LONG));
    assert_eq!(backend.batch(), ["a"]);
    assert_eq!(backend.event(), Event::Shutdown);
    assert_eq!(backend.event(), Event::Dropped);
    assert_eq!(tracing.dropped(), 0);

    finish(&tracing, &["b"]);
    assert_eq!((reporter.drops().shut_down, tracing.dropped()), (1, 1));
    assert_eq!(reporter.queued_spans(), 0);
    assert!(reporter.flush(LONG), "there is nothing to wait for");
    assert!(reporter.shutdown(LONG), "a second one has nothing to do");
}

#[test]
fn an_exporter_that_panics_as_it_ends_ends() {
    struct Panics(#[allow(dead_code, reason = "tells of its drop")] Sender<()>);

    impl Exporter for Panics {
        fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
            Ok(())
        }

        fn shutdown(&mut self) {
            panic!("in shutdown");
        }
    }

    let (send, dropped) = channel();
    let reporter = Reporter::with_defaults(Panics(send)).unwrap();
    assert!(reporter.shutdown(LONG));
    assert_eq!(
        dropped.recv_timeout(LONG),
        Err(RecvTimeoutError::Disconnected)
    );
}

#[test]
fn the_exporter_cannot_wait_for_itself() {
    struct Flushes {
        reporter: Arc<Mutex<Option<Reporter>>>,
        answers: Sender<(bool, bool, Option<String>)>,
    }

    impl Exporter for Flushes {
        fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
            // The last handle but one is dropped here, and the last with the span's policy: on this thread, too.
            if let Some(reporter) = self.reporter.lock().unwrap().take() {
                let name = thread::current().name().map(str::to_owned);
                let _ = self
                    .answers
                    .send((reporter.flush(LONG), reporter.shutdown(LONG), name));
            }
            Ok(())
        }
    }

    let (send, answers) = channel();
    let slot = Arc::<Mutex<Option<Reporter>>>::default();
    let exporter = Flushes {
        reporter: slot.clone(),
        answers: send,
    };
    let reporter = prompt()
        .batch_interval(Duration::from_millis(1))
        .thread_name("my-reporter")
        .build(exporter)
        .unwrap();
    *slot.lock().unwrap() = Some(reporter.clone());
    HttpTracing::new(reporter).span("a").start().finish();
    let expected = (false, false, Some("my-reporter".to_owned()));
    assert_eq!(answers.recv_timeout(LONG).unwrap(), expected);
    assert_eq!(
        answers.recv_timeout(LONG),
        Err(RecvTimeoutError::Disconnected)
    );
}

#[test]
fn dropping_the_policy_delivers_what_is_queued() {
    let (exporter, backend) = scripted();
    let reporter = prompt()
        .batch_spans(100)
        .shutdown_timeout(LONG)
        .build(exporter)
        .unwrap();
    let tracing = HttpTracing::new(reporter);
    finish(&tracing, &["a", "b"]);
    let clone = tracing.clone();
    drop(tracing);
    assert!(backend.is_quiet());
    backend.accept();
    drop(clone);
    assert_eq!(backend.batch(), ["a", "b"]);
    assert_eq!(backend.event(), Event::Shutdown);
    assert_eq!(backend.event(), Event::Dropped);
}

/// What holds no span that [`wait_for_shutdown`] reports.
const SMALL: usize = 100_000;

/// Waits until a shutdown has begun: until a span that finds no place in a [`SMALL`] queue is refused for that reason.
fn wait_for_shutdown(reporter: &Reporter) {
    let tracer = InMemoryTracer::new();
    let span = HttpTracing::new(tracer.clone()).span("large").start();
    for number in 0..100 {
        span.set_tag(format!("{number}"), "x".repeat(SMALL / 50));
    }
    span.finish();
    let large = tracer.take().remove(0);
    let began = Instant::now();
    while reporter.drops().shut_down == 0 {
        reporter.report(large.clone());
        assert!(began.elapsed() < LONG);
    }
}

#[test]
fn a_shutdown_ends_the_pause_before_a_retry() {
    let (send, told) = channel();
    let builder = prompt().backoff(4 * LONG, 4 * LONG);
    let (tracing, reporter, backend) = start(builder.on_error(move |_| {
        let _ = send.send(());
    }));
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
    backend.answer(|| Err(ExportError::retry("busy").after(4 * LONG)));
    told.recv_timeout(LONG).unwrap();
    // Gives the pause time to begin; it does not end one that was asked for.
    assert!(!reporter.flush(Duration::from_millis(200)));
    backend.accept();
    let began = Instant::now();
    assert!(reporter.shutdown(8 * LONG));
    assert!(began.elapsed() < LONG);
    assert_eq!(backend.batch(), ["a"]);
    assert_eq!(tracing.dropped(), 0);
}

#[test]
fn a_batch_is_retried_as_long_as_a_shutdown_has_time() {
    let (tracing, reporter, backend) =
        start(prompt().batch_spans(100).retries(3).queue_bytes(SMALL));
    finish(&tracing, &["a"]);
    let shutdown = thread::spawn({
        let reporter = reporter.clone();
        move || reporter.shutdown(LONG)
    });
    assert_eq!(backend.batch(), ["a"]);
    wait_for_shutdown(&reporter);
    for _ in 0..2 {
        backend.answer(|| Err(ExportError::retry("busy")));
        assert_eq!(backend.batch(), ["a"]);
    }
    backend.accept();
    assert!(shutdown.join().unwrap());
    assert_eq!(reporter.drops().failed, 0);
}

#[test]
fn a_shutdown_tells_of_what_a_shorter_one_gave_up() {
    for (names, is_whole) in [(&["a", "b"][..], false), (&["a"], true)] {
        let (tracing, reporter, backend) = start(prompt().queue_bytes(SMALL));
        finish(&tracing, names);
        assert_eq!(backend.batch(), ["a"]);
        let patient = thread::spawn({
            let reporter = reporter.clone();
            move || reporter.shutdown(LONG)
        });
        wait_for_shutdown(&reporter);
        assert!(!reporter.shutdown(Duration::ZERO));
        backend.accept();
        assert_eq!(patient.join().unwrap(), is_whole);
        assert_eq!(reporter.queued_spans(), 0);
    }
}
