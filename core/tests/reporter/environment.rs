//! Configuration of a reporter by environment variables.

use super::*;

const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
const QUEUE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
const BATCH: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
const TIMEOUT: &str = "OTEL_BSP_EXPORT_TIMEOUT";

fn table<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| {
        let found = variables.iter().find(|(key, _)| *key == name)?;
        Some(found.1.to_owned())
    }
}

#[test]
fn bounds_come_from_variables() {
    let variables = [(QUEUE, "2"), (BATCH, " 2 ")];
    let (tracing, reporter, backend) = start(prompt().env_with(table(&variables)));
    finish(&tracing, &["a"]);
    assert!(backend.is_quiet());
    finish(&tracing, &["b"]);
    assert_eq!(backend.batch(), ["a", "b"]);
    finish(&tracing, &["c", "d", "e"]);
    assert_eq!(reporter.drops().queue_full, 1);
    backend.accept();
    assert_eq!(backend.batch(), ["c", "d"]);
}

#[test]
fn a_batch_is_due_after_the_delay() {
    let variables = [(DELAY, "1")];
    let (tracing, _reporter, backend) =
        start(prompt().batch_spans(512).env_with(table(&variables)));
    finish(&tracing, &["a"]);
    assert_eq!(backend.batch(), ["a"]);
}

#[test]
fn variables_override_options_set_before_and_not_those_set_later() {
    let two = [(BATCH, "2"), (QUEUE, ""), (DELAY, " ")];
    let (tracing, _reporter, backend) = start(prompt().batch_spans(1).env_with(table(&two)));
    finish(&tracing, &["a", "b"]);
    assert_eq!(backend.batch(), ["a", "b"]);
    let (tracing, _reporter, backend) = start(prompt().env_with(table(&two)).batch_spans(1));
    finish(&tracing, &["a", "b"]);
    assert_eq!(backend.batch(), ["a"]);
}

#[test]
fn wrong_options_are_errors_that_name_the_remedy() {
    let builder = Reporter::builder;
    for (builder, variables, option, remedy) in [
        (builder(), &[(DELAY, "0")][..], DELAY, "above 0, such as"),
        (builder(), &[(DELAY, "5s")], DELAY, "`5s` is not a time"),
        (
            builder(),
            &[(QUEUE, "0")],
            QUEUE,
            "give a whole number above 0",
        ),
        (
            builder(),
            &[(QUEUE, "-1")],
            QUEUE,
            "give a whole number above 0",
        ),
        (
            builder(),
            &[(BATCH, "many")],
            BATCH,
            "`many` is not a whole number",
        ),
        (builder(), &[(TIMEOUT, "-1")], TIMEOUT, "give milliseconds"),
        (
            builder(),
            &[(BATCH, "2049")],
            BATCH,
            "raise `OTEL_BSP_MAX_QUEUE_SIZE`",
        ),
        (
            builder(),
            &[(BATCH, "11"), (QUEUE, "10")],
            BATCH,
            "raise `OTEL_BSP_MAX_QUEUE_SIZE`",
        ),
        (
            builder().batch_spans(11),
            &[(QUEUE, "10")],
            "batch_spans",
            "raise `OTEL_BSP_MAX_QUEUE_SIZE`",
        ),
        (
            builder().queue_spans(0),
            &[(BATCH, "11")],
            "queue_spans",
            "0 drops every span",
        ),
    ] {
        let (exporter, _backend) = scripted();
        let error = builder
            .env_with(table(variables))
            .build(exporter)
            .unwrap_err();
        assert_eq!(error.option(), option, "{variables:?}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
    // If code sets the bounds again, its own values are checked.
    let (exporter, _backend) = scripted();
    let later = builder().env_with(table(&[(BATCH, "1"), (QUEUE, "1")]));
    let error = later
        .queue_spans(10)
        .batch_spans(11)
        .build(exporter)
        .unwrap_err();
    assert_eq!(error.option(), "batch_spans");
    assert!(error.to_string().contains("`queue_spans`"), "{error}");
}

#[test]
fn a_batch_is_given_up_when_its_time_is_over() {
    for builder in [
        prompt().export_timeout(Duration::ZERO),
        // Not even the pause would end within the time limit.
        prompt()
            .backoff(NEVER, NEVER)
            .env_with(table(&[(TIMEOUT, "1000")])),
    ] {
        let (tracing, reporter, backend) = start(builder);
        finish(&tracing, &["a"]);
        assert_eq!(backend.batch(), ["a"]);
        backend.answer(|| Err(ExportError::retry("down")));
        finish(&tracing, &["b"]);
        assert_eq!(backend.batch(), ["b"]);
        assert_eq!(reporter.drops().failed, 1);
        backend.accept();
    }
}

#[test]
fn a_batch_is_retried_as_long_as_there_is_time() {
    for builder in [
        prompt().export_timeout(NEVER),
        prompt().export_timeout(Duration::MAX),
        // 0 means no limit, and replaces a limit that code has set.
        prompt()
            .export_timeout(Duration::ZERO)
            .env_with(table(&[(TIMEOUT, "0")])),
        prompt().env_with(table(&[(TIMEOUT, "")])),
    ] {
        let (tracing, reporter, backend) = start(builder);
        finish(&tracing, &["a"]);
        for _ in 0..5 {
            assert_eq!(backend.batch(), ["a"]);
            backend.answer(|| Err(ExportError::retry("down")));
        }
        assert_eq!(backend.batch(), ["a"]);
        backend.accept();
        assert!(tracing.flush(LONG).is_complete());
        assert_eq!(reporter.drops(), Drops::default());
    }
}

#[test]
fn a_backend_that_takes_a_part_of_a_batch_has_the_time_once_more() {
    const TIME: Duration = Duration::from_millis(100);
    let (tracing, reporter, backend) = start(prompt().batch_spans(2).export_timeout(TIME));
    finish(&tracing, &["a", "b"]);
    assert_eq!(backend.batch(), ["a", "b"]);
    backend.answer(|| {
        // A slow backend.
        let began = Instant::now();
        while began.elapsed() <= TIME {
            thread::yield_now();
        }
        Err(ExportError::retry("busy").delivered(1))
    });
    assert_eq!(backend.batch(), ["b"]);
    backend.accept();
    assert!(tracing.flush(LONG).is_complete());
    assert_eq!(reporter.drops(), Drops::default());
}
