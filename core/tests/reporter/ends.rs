//! The end of a reporter.

use opentracing_http::FanOut;

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
    // The reporter's thread ends as soon as it can, and sends nothing more.
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
    // The exporter may have the batch at that moment.
    assert_eq!(shutdown.join().unwrap().lost(), 2);
    assert_eq!(backend.event(), Event::Dropped);
    let drops = reporter.drops();
    assert_eq!((drops.shut_down + drops.in_flight, drops.total()), (2, 2));
}

#[test]
fn a_shutdown_ends_the_reporter_for_all_handles() {
    let (tracing, reporter, backend) = start(prompt().batch_spans(100));
    finish(&tracing, &["a"]);
    backend.accept();
    assert!(reporter.shutdown(LONG).is_complete());
    assert_eq!(backend.batch(), ["a"]);
    assert_eq!(backend.event(), Event::Shutdown);
    assert_eq!(backend.event(), Event::Dropped);
    assert_eq!(tracing.dropped(), 0);

    finish(&tracing, &["b"]);
    assert_eq!((reporter.drops().shut_down, tracing.dropped()), (1, 1));
    assert_eq!(reporter.queued_spans(), 0);
    assert!(
        reporter.flush(LONG).is_complete(),
        "there is nothing to wait for"
    );
    assert!(
        reporter.shutdown(LONG).is_complete(),
        "a second one has nothing to do"
    );
}

#[test]
fn a_shutdown_completes_if_the_exporters_end_panics() {
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
    assert!(reporter.shutdown(LONG).is_complete());
    assert_eq!(
        dropped.recv_timeout(LONG),
        Err(RecvTimeoutError::Disconnected)
    );
}

#[test]
fn the_exporter_cannot_wait_for_itself() {
    struct Flushes {
        reporter: Arc<Mutex<Option<Reporter>>>,
        answers: Sender<(Flushed, Flushed, Option<String>)>,
    }

    impl Exporter for Flushes {
        fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
            // The last handle but one is dropped here, and the last one together with the span's policy, also on this thread.
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
    let time_out = Flushed::COMPLETE.with_time_out();
    let expected = (time_out, time_out, Some("my-reporter".to_owned()));
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

/// The size of a queue that has no room for a span of [`wait_for_shutdown`].
pub(super) const SMALL: usize = 100_000;

/// Waits until a shutdown has begun: until a span for which a [`SMALL`] queue has no room is refused for that reason.
pub(super) fn wait_for_shutdown(reporter: &Reporter) {
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
    // Gives the pause time to begin. It does not end a pause that was requested.
    assert!(reporter.flush(Duration::from_millis(200)).timed_out());
    backend.accept();
    let began = Instant::now();
    assert!(reporter.shutdown(8 * LONG).is_complete());
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
    assert!(shutdown.join().unwrap().is_complete());
    assert_eq!(reporter.drops().failed, 0);
}

#[test]
fn a_shutdown_counts_spans_that_a_shorter_one_abandoned() {
    for names in [&["a", "b"][..], &["a"]] {
        let (tracing, reporter, backend) = start(prompt().queue_bytes(SMALL));
        finish(&tracing, names);
        assert_eq!(backend.batch(), ["a"]);
        let patient = thread::spawn({
            let reporter = reporter.clone();
            move || reporter.shutdown(LONG)
        });
        wait_for_shutdown(&reporter);
        let lost = Flushed::COMPLETE.with_lost(names.len() as u64);
        assert_eq!(reporter.shutdown(Duration::ZERO), lost.with_time_out());
        // Too late for `a`, which was being sent.
        backend.accept();
        assert_eq!(patient.join().unwrap(), lost);
        assert_eq!(reporter.queued_spans(), 0);
    }
}

/// Returns a reporter with a backend that hangs, and with one more span in the queue.
fn hanging(builder: ReporterBuilder) -> (Reporter, Backend) {
    let (exporter, backend) = scripted();
    let reporter = builder.build(exporter).unwrap();
    reporter.report(stray("a"));
    assert_eq!(backend.batch(), ["a"]);
    reporter.report(stray("b"));
    (reporter, backend)
}

#[test]
fn dropping_does_not_wait_again_after_a_flush_that_timed_out() {
    for wrap in [true, false] {
        let (reporter, _backend) = hanging(prompt().shutdown_timeout(LONG));
        let tracing = match wrap {
            true => HttpTracing::new(FanOut::new().and(Arc::new(reporter) as Arc<dyn Tracer>)),
            false => HttpTracing::new(reporter),
        };
        assert!(tracing.flush(Duration::from_millis(10)).timed_out());
        let began = Instant::now();
        // The policy alone would wait for 5 s, and the reporter then for its own time.
        drop(tracing);
        assert!(began.elapsed() < Duration::from_secs(4), "{began:?}");
    }
}

#[test]
fn dropping_waits_for_spans_after_a_flush_that_timed_out() {
    let wait = Duration::from_millis(200);
    for is_new in [true, false] {
        let (reporter, _backend) = hanging(prompt().shutdown_timeout(wait));
        assert!(reporter.flush(Duration::from_millis(10)).timed_out());
        if is_new {
            reporter.report(stray("c"));
        }
        let began = Instant::now();
        drop(reporter);
        assert_eq!(began.elapsed() >= wait, is_new);
    }
}

#[test]
fn dropping_waits_if_a_span_was_delivered_after_a_flush_that_timed_out() {
    let wait = Duration::from_millis(200);
    let (reporter, backend) = hanging(prompt().shutdown_timeout(wait));
    assert!(reporter.flush(Duration::from_millis(10)).timed_out());
    backend.accept();
    assert_eq!(backend.batch(), ["b"]);
    let began = Instant::now();
    drop(reporter);
    assert!(began.elapsed() >= wait);
}

#[test]
fn a_flush_with_zero_timeout_is_not_a_time_out() {
    let wait = Duration::from_millis(200);
    let (reporter, _backend) = hanging(prompt().shutdown_timeout(wait));
    assert!(reporter.flush(Duration::ZERO).timed_out());
    let began = Instant::now();
    drop(reporter);
    assert!(began.elapsed() >= wait);
}

#[test]
fn policies_and_reporter_share_the_time_of_their_ends() {
    let time = Duration::from_millis(500);
    let (reporter, backend) = hanging(prompt().shutdown_timeout(time));
    assert!(reporter.end(time).timed_out());
    // The backend continues, so that the flush below does not time out. The time of the policy's end is used up.
    backend.accept();
    assert_eq!(backend.batch(), ["b"]);
    let began = Instant::now();
    assert!(reporter.end(time).timed_out());
    assert!(began.elapsed() < time, "{:?}", began.elapsed());
    // Spans that are reported after the end of one policy have the whole time again.
    reporter.report(stray("c"));
    let began = Instant::now();
    drop(reporter);
    assert!(began.elapsed() >= time);
}
