//! Without a hook a policy reports to the application's logger.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::{FinishedSpan, HttpTracing};

static LINES: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

struct Keeps;

impl Log for Keeps {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (target, text) = (record.target().to_owned(), record.args().to_string());
        LINES.lock().unwrap().push((record.level(), target, text));
    }

    fn flush(&self) {}
}

struct Refuses;

impl Exporter for Refuses {
    fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
        Err(ExportError::rejected("connection refused"))
    }
}

#[test]
fn a_loss_is_logged_once_as_a_warning() {
    log::set_logger(&Keeps).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let reporter = Reporter::builder().batch_interval(Duration::from_secs(3600));
    let tracing = HttpTracing::new(reporter.build(Refuses).unwrap());
    for lost in [3, 2] {
        for _ in 0..lost {
            tracing.span("work").start().finish();
        }
        assert_eq!(tracing.flush(Duration::from_secs(30)).lost(), lost);
    }
    let text = "spans lost so far: 3 (rejected: 3); the last error: connection refused";
    let expected = (Level::Warn, "opentracing_http".to_owned(), text.to_owned());
    assert_eq!(*LINES.lock().unwrap(), [expected]);
}
