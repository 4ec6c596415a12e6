//! A panic anywhere leaves the memory that is used again in a correct state.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use http::Request;
use opentracing_http::propagation::HeaderView;
use opentracing_http::sampler::{Sampler, SamplingParams, SamplingResult};
use opentracing_http::scope::ScopeHook;
use opentracing_http::server::{BodyPart, Instrumentation, ResponseView};
use opentracing_http::{
    FinishedSpan, HttpTracing, InMemoryTracer, RequestView, Route, Span, Tracer,
};

use crate::SAMPLED;

thread_local! {
    /// The number of calls of foreign code after which the next call panics.
    static FUSE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The message of the panics that are made here.
const BANG: &str = "bang";

fn maybe_panic() {
    if let Some(left) = FUSE.get() {
        FUSE.set(left.checked_sub(1));
        assert!(left > 0, "{BANG}");
    }
}

/// Foreign code of every kind: tracer, sampler, hooks, callbacks.
#[derive(Debug, Clone)]
struct Foreign(InMemoryTracer);

impl Tracer for Foreign {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        maybe_panic();
        self.0.sample(request)
    }

    fn started(&self, span: &Span) {
        maybe_panic();
        if let Some(slot) = span.hook_slot() {
            let _ = slot.set(Box::new(Slot));
        }
        self.0.started(span);
    }

    fn report(&self, span: FinishedSpan) {
        maybe_panic();
        self.0.report(span);
    }
}

impl Sampler for Foreign {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        maybe_panic();
        SamplingResult::undecided()
    }
}

impl ScopeHook for Foreign {
    fn enter(&self, _: &Span) {
        maybe_panic();
    }

    fn exit(&self, _: &Span) {
        maybe_panic();
    }
}

/// The value that a hook stores with a span.
struct Slot;

impl Drop for Slot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            maybe_panic();
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        maybe_panic();
        f.write_str("no luck")
    }
}

struct View(Request<()>);

impl HeaderView for View {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        maybe_panic();
        self.0.headers().each_header(visit);
    }
}

impl RequestView for View {
    fn headers(&self) -> &dyn HeaderView {
        maybe_panic();
        self
    }

    fn method(&self) -> &str {
        maybe_panic();
        "GET"
    }

    fn path(&self) -> &str {
        maybe_panic();
        "/"
    }

    fn route(&self) -> Route<'_> {
        maybe_panic();
        Route::Unknown
    }
}

struct Failed<'f>(&'f Foreign);

impl ResponseView for Failed<'_> {
    fn status(&self) -> u16 {
        maybe_panic();
        500
    }

    fn headers(&self) -> &dyn HeaderView {
        maybe_panic();
        const NONE: &[(&str, &str); 0] = &[];
        NONE
    }

    fn route(&self) -> Route<'_> {
        maybe_panic();
        Route::Unmatched
    }

    fn error(&self) -> Option<&dyn std::fmt::Display> {
        maybe_panic();
        Some(self.0)
    }
}

fn serve(instrumentation: &Instrumentation, foreign: &Foreign, request: &View) {
    let mut span = instrumentation.begin(request);
    let _ = catch_unwind(AssertUnwindSafe(|| {
        span.scope(|| {
            let span = Span::current();
            span.set_tag("own", 1);
            span.child("part").finish();
            maybe_panic();
        });
    }));
    let body = span.respond(&mut Failed(foreign));
    if let Some(mut body) = body {
        let _ = catch_unwind(AssertUnwindSafe(|| body.scope(maybe_panic)));
        body.note(BodyPart::Error(foreign));
    }
}

#[test]
fn a_panic_at_any_call_of_foreign_code_harms_no_later_request() {
    quiet();
    let tracer = InMemoryTracer::new();
    let foreign = Foreign(tracer.clone());
    let tracing = HttpTracing::builder(foreign.clone())
        .sampler(foreign.clone())
        .scope_hook(foreign.clone())
        .skip_when(|_| {
            maybe_panic();
            false
        })
        .on_start(|_, _| maybe_panic())
        .on_finish(|_| maybe_panic())
        .name_with(|_, _| {
            maybe_panic();
            Some("named".to_owned())
        })
        .build()
        .unwrap();
    let instrumentation = Instrumentation::new(&tracing, "test");
    let request = http::Request::get("/").header("traceparent", SAMPLED);
    let request = View(request.body(()).unwrap());
    let mut calls = 0;
    loop {
        FUSE.set(Some(calls));
        serve(&instrumentation, &foreign, &request);
        // The value that a hook stores with them can panic as well.
        drop(tracer.take());
        let is_left = FUSE.take().is_some();
        assert!(Span::current().is_none());
        // The same as without panics.
        serve(&instrumentation, &foreign, &request);
        let spans = tracer.take();
        let names: Vec<_> = spans.iter().map(FinishedSpan::name).collect();
        assert_eq!(names, ["part", "named"], "after a panic at call {calls}");
        assert_eq!(spans[1].tag("own").unwrap().as_i64(), Some(1));
        assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
        if is_left {
            break;
        }
        calls += 1;
    }
    assert!(calls > 20, "only {calls} calls of foreign code");
    // Each but those in the handler and the body, which go on to the framework.
    assert!(tracing.caught_panics() >= u64::from(calls) - 2);
}

/// Keeps the panics of this test off its output.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let message = info.payload().downcast_ref::<String>();
            if message.is_none_or(|message| message != BANG) {
                before(info);
            }
        }));
    });
}
