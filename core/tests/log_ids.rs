//! The ids that log lines carry: which ones they are, and that they can be read anywhere.

#![allow(clippy::unwrap_used)]

mod support;

use std::cell::RefCell;
use std::fmt;
use std::panic;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use allocation_counter::measure;
use http::{HeaderMap, Request};
use opentracing_http::report::{Diagnostics, Drops};
use opentracing_http::sampler::Never;
use opentracing_http::server::Instrumentation;
use opentracing_http::values::LogIds;
use opentracing_http::{
    Diagnostic, FinishedSpan, HttpTracing, HttpTracingBuilder, InMemoryTracer, NoopTracer, Span,
    SpansLost, Tracer, Trust, Value,
};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// A logger: writes lines as a recipe of the page does.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn line(&self, text: &str) {
        let line = format!("{text}{:#}", Span::current().log_ids());
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Returns the ids within a request, the ids that `inject` writes there, and whether the request is recorded.
fn within(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
    traceparent: Option<&str>,
) -> (String, Option<String>, bool) {
    let policy = change(HttpTracing::builder(InMemoryTracer::new()));
    let place = Instrumentation::new(policy.build().unwrap(), "test");
    let mut request = Request::get("/").body(()).unwrap();
    if let Some(traceparent) = traceparent {
        let headers = request.headers_mut();
        headers.insert("traceparent", traceparent.parse().unwrap());
    }
    place.begin(&request).scope(|| {
        let (span, mut headers) = (Span::current(), HeaderMap::new());
        span.inject(&mut headers);
        let injected = headers.get("traceparent").map(|header| {
            let parts: Vec<_> = header.to_str().unwrap().split('-').collect();
            format!("trace_id={} span_id={}", parts[1], parts[2])
        });
        (span.log_ids().to_string(), injected, span.is_recording())
    })
}

#[test]
fn ids_are_those_that_are_propagated() {
    type Change = fn(HttpTracingBuilder) -> HttpTracingBuilder;
    let usual: Change = |policy| policy;
    let skipped: Change = |policy| policy.skip("/*");
    let untrusted: Change = |policy| policy.skip("/*").trust(Trust::nobody());
    let never: Change = |policy| policy.sampler(Never);
    for (case, change, traceparent, is_recorded) in [
        ("recorded", usual, None, true),
        ("recorded child", usual, Some(SAMPLED), true),
        ("unsampled by the caller", usual, Some(UNSAMPLED), false),
        ("unsampled here", never, None, false),
        ("skipped", skipped, Some(SAMPLED), false),
        ("skipped, no caller", skipped, None, false),
        (
            "skipped, a caller that is not trusted",
            untrusted,
            Some(SAMPLED),
            false,
        ),
    ] {
        let (ids, injected, recorded) = within(change, traceparent);
        assert_eq!(recorded, is_recorded, "{case}");
        assert_eq!(ids, injected.unwrap_or_default(), "{case}");
        let has_ids = !case.contains("caller that is") && !case.contains("no caller");
        assert_eq!(!ids.is_empty(), has_ids, "{case}");
        if has_ids && traceparent.is_some() {
            assert!(ids.starts_with("trace_id=4bf92f3577b34da6a3ce929d0e0e4736 "));
        }
    }
    assert_eq!(Span::none().log_ids().to_string(), "");
}

/// A tag's value whose conversion logs.
struct Noisy(Log);

impl fmt::Display for Noisy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.line("display");
        f.write_str("noisy")
    }
}

/// A tracer that logs wherever it is called, and reports each span as lost.
#[derive(Default)]
struct NoisyTracer {
    log: Log,
    diagnostics: OnceLock<Diagnostics>,
}

impl Tracer for NoisyTracer {
    fn attach(&self, diagnostics: &Diagnostics) {
        let _ = self.diagnostics.set(diagnostics.clone());
    }

    fn report(&self, span: FinishedSpan) {
        self.log.line("report");
        span.tags().iter().for_each(|tag| self.log.line(&tag.key));
        let lost = SpansLost::new(Drops::default());
        let diagnostics = self.diagnostics.get().unwrap();
        diagnostics.tell(&Diagnostic::SpansLost(lost));
    }
}

#[test]
fn lines_can_be_written_within_every_callback() {
    let log = Log::default();
    let on = |name: &'static str| {
        let log = log.clone();
        move || log.line(name)
    };
    let (start, finish, diagnostic, naming) =
        (on("start"), on("finish"), on("diagnostic"), on("naming"));
    let tracing = HttpTracing::builder(NoisyTracer {
        log: log.clone(),
        diagnostics: OnceLock::new(),
    })
    .on_start(move |_, _| start())
    .on_finish(move |_| finish())
    .on_diagnostic(move |_| diagnostic())
    .name_with(move |_, _| {
        naming();
        None
    })
    .build()
    .unwrap();
    let request = Request::get("/").body(()).unwrap();
    let mut span = Instrumentation::new(&tracing, "test").begin(&request);
    let ids = span.span().log_ids().to_string();
    span.scope(|| {
        Span::current().set_tag("noisy", Value::display(Noisy(log.clone())));
        Span::current().log([("noisy", Value::display(Noisy(log.clone())))]);
        log.line("handler");
    });
    drop(span);
    let lines = log.lines();
    for expected in [
        "start",
        "finish",
        "diagnostic",
        "naming",
        "report",
        "http.method",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(expected)),
            "{expected}: {lines:#?}"
        );
    }
    for within in ["display", "handler"] {
        assert!(
            lines.contains(&format!("{within} {ids}")),
            "{within}: {lines:#?}"
        );
    }
    assert_eq!(tracing.caught_panics(), 0);
}

#[test]
fn lines_can_be_written_in_a_panic_hook_and_on_a_thread_that_ends() {
    /// Logs when the thread's values are dropped.
    struct AtExit(Log);
    impl Drop for AtExit {
        fn drop(&mut self) {
            self.0.line("exit");
        }
    }
    thread_local! {
        static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    }
    let log = Log::default();
    let (in_hook, at_exit) = (log.clone(), log.clone());
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |_| in_hook.line("panic")));
    let ids = thread::spawn(move || {
        // Registered before the stack of the current span, so dropped after it.
        AT_EXIT.with(|slot| *slot.borrow_mut() = Some(AtExit(at_exit)));
        let span = HttpTracing::new(NoopTracer).span("job").start();
        let ids = span.log_ids();
        let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            span.in_scope(|| -> LogIds { panic!("as asked for") })
        }));
        assert!(caught.is_err());
        // A scope that is never left.
        std::mem::forget(span.entered());
        ids
    })
    .join();
    panic::set_hook(before);
    let ids = ids.unwrap();
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], format!("panic{ids:#}"));
    assert!(lines[1].starts_with("exit"), "{lines:?}");
}

#[test]
fn nothing_is_allocated() {
    let mut line = String::with_capacity(200);
    let span = HttpTracing::new(InMemoryTracer::new()).span("job").start();
    let counted = measure(|| {
        span.in_scope(|| {
            let ids = Span::current().log_ids();
            fmt::write(&mut line, format_args!("{ids}{ids:#}")).unwrap();
        });
    });
    assert_eq!(counted.count_total, 0);
    let (ids, same) = line.split_at(line.len() / 2);
    assert!(
        ids.starts_with("trace_id=") && same.starts_with(' '),
        "{line}"
    );
}
