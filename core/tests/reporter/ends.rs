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
