//! Children that are started where no span is current are counted, and the first one is logged. One test, because the number is
//! that of the process.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::scope::children_without_parent;
use opentracing_http::server::Instrumentation;
use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, Span};

static LINES: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

/// A logger that is traced itself.
struct Traced;

impl Log for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        Span::current().child("write a line").finish();
        let (target, text) = (record.target().to_owned(), record.args().to_string());
        LINES.lock().unwrap().push((record.level(), target, text));
        panic!("as asked for");
    }

    fn flush(&self) {}
}

/// An exporter that starts children where no span is current.
struct Starts;

impl Exporter for Starts {
    fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
        Span::current().child("send").finish();
        Ok(())
    }
}

/// Runs `f` on a thread of its own, and returns by how much the number grows.
fn grows_by(f: impl FnOnce() + Send + 'static) -> u64 {
    let before = children_without_parent();
    std::thread::spawn(f).join().unwrap();
    children_without_parent() - before
}

#[test]
fn children_without_a_current_span_are_counted_and_the_first_is_logged() {
    log::set_logger(&Traced).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let current = || Span::current().child("import").finish();

    // In a process that uses no tracing they are no mistake.
    assert_eq!(grows_by(current), 1);
    assert!(LINES.lock().unwrap().is_empty());

    let tracing = HttpTracing::new(InMemoryTracer::new());
    // The logger's own child counts as well, and causes no other line.
    assert_eq!(grows_by(current), 2);
    {
        let lines = LINES.lock().unwrap();
        let [(Level::Warn, target, text)] = lines.as_slice() else {
            panic!("one line: {lines:?}");
        };
        assert_eq!(target, "opentracing_http");
        assert!(text.contains("`import`") && text.contains("`span.scope(future)`"));
    }
    assert_eq!(grows_by(current), 1);
    assert_eq!(grows_by(|| Span::current().follower("mail").finish()), 1);
    let built = || Span::current().build_child("call").start().finish();
    assert_eq!(grows_by(built), 1);
    assert_eq!(LINES.lock().unwrap().len(), 1);

    what_the_application_wants_is_not_counted(&tracing);
    tracers_are_not_counted();
}

fn what_the_application_wants_is_not_counted(tracing: &HttpTracing) {
    assert_eq!(grows_by(|| Span::none().child("import").finish()), 0);
    let within = || Span::none().in_scope(|| Span::current().child("import").finish());
    assert_eq!(grows_by(within), 0);
    let unused = || drop(Span::current().build_child("import"));
    assert_eq!(grows_by(unused), 0);
    let tracing = tracing.clone();
    let root = move || {
        let job = tracing.span("job").start();
        job.in_scope(|| {
            Span::current().child("step").finish();
            Span::none().child("silent").finish();
        });
    };
    assert_eq!(grows_by(root), 0);

    // The handle of a request that is skipped is not empty.
    let skips = HttpTracing::builder(InMemoryTracer::new()).skip("GET /");
    let skips = Instrumentation::new(skips.build().unwrap(), "test");
    let skipped = move || {
        let mut request = skips.begin(&http::Request::new(()));
        request.scope(|| {
            Span::current().child("import").finish();
            Span::current().child("import").child("step").finish();
        });
    };
    assert_eq!(grows_by(skipped), 0);
}

fn tracers_are_not_counted() {
    let reporter = Reporter::builder().batch_interval(Duration::from_secs(3600));
    let tracing = HttpTracing::new(reporter.build(Starts).unwrap());
    let reports = move || {
        tracing.span("work").start().finish();
        assert!(tracing.flush(Duration::from_secs(30)).is_complete());
    };
    assert_eq!(grows_by(reports), 0);
}
