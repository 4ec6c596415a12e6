//! The trait of tracers: which methods are called when, and that pointers to tracers forward all of them.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use opentracing_http::report::Diagnostics;
use opentracing_http::sampler::{SamplingDecision, SamplingParams, SamplingResult};
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    FinishedSpan, Flushed, HttpTracing, InMemoryTracer, NoopTracer, Span, SpanContext, SpanId,
    SpanKind, Tag, TraceFlags, TraceId, Tracer,
};

/// Returns the given decision, and stores the calls.
#[derive(Clone, Default)]
struct Listens(Arc<Mutex<Vec<String>>>);

impl Listens {
    fn hear(&self, call: impl Into<String>) {
        self.0.lock().unwrap().push(call.into());
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Tracer for Listens {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        let parent = request.parent().map(|parent| parent.span_id().get());
        self.hear(format!(
            "sample {} {parent:?} {:?} {} {:?} {:?} {:?} {:?}",
            request.trace_id(),
            request.caller_decision(),
            request.name(),
            request.kind(),
            request.method(),
            request.path(),
            request.tags(),
        ));
        SamplingResult::record_and_sample().with_tag(("asked", true))
    }

    fn started(&self, span: &Span) {
        self.hear(format!("started {}", span.is_recording()));
    }

    fn report(&self, span: FinishedSpan) {
        self.hear(format!("report {}", span.name()));
    }

    fn flush(&self, timeout: Duration) -> Flushed {
        self.hear(format!("flush {timeout:?}"));
        Flushed::COMPLETE.with_lost(3)
    }

    fn end(&self, timeout: Duration) -> Flushed {
        self.hear(format!("end {timeout:?}"));
        Flushed::COMPLETE
    }

    fn attach(&self, _: &Diagnostics) {
        self.hear("attach");
    }

    fn dropped(&self) -> u64 {
        7
    }
}

#[test]
fn pointers_forward_every_call() {
    fn assert_hands_on(tracer: impl Tracer + 'static, heard: &Listens) {
        let tracing = HttpTracing::new(tracer);
        tracing.span("work").start().finish();
        assert_eq!(tracing.flush(Duration::from_secs(3)).lost(), 3);
        assert_eq!(tracing.dropped(), 7);
        let calls = heard.heard();
        assert_eq!(calls[0], "attach");
        assert!(calls[1].starts_with("sample "), "{calls:?}");
        assert_eq!(calls[2..], ["started true", "report work", "flush 3s"]);
        drop(tracing);
        assert_eq!(heard.heard(), ["end 5s"]);
    }
    let tracer = Listens::default();
    assert_hands_on(tracer.clone(), &tracer);
    assert_hands_on(Box::new(tracer.clone()), &tracer);
    assert_hands_on(Arc::new(tracer.clone()), &tracer);
    assert_hands_on(Box::new(tracer.clone()) as Box<dyn Tracer>, &tracer);
    assert_hands_on(Arc::new(tracer.clone()) as Arc<dyn Tracer>, &tracer);
    // A policy owns its tracer, so a borrowed one has to be `'static`.
    let borrowed: &'static Listens = Box::leak(Box::new(tracer.clone()));
    assert_hands_on(borrowed, &tracer);
}

#[test]
fn a_tracer_is_asked_with_all_that_is_known() {
    let tracer = Listens::default();
    let tracing = HttpTracing::new(tracer.clone());
    let asked = || {
        let mut calls = tracer.heard().into_iter();
        calls.find(|call| call != "attach").unwrap()
    };
    let (trace, parent) = (TraceId::new(0xabc).unwrap(), SpanId::new(0xd).unwrap());
    let caller = SpanContext::new(trace, parent, TraceFlags::NOT_SAMPLED);
    let span = tracing.span("mail").kind(SpanKind::Producer).tag("n", 1);
    span.child_of(caller.clone()).start().finish();
    let tags = format!("{:?}", [Tag::new("n", 1)]);
    let expected = format!("sample {trace} Some(13) Some(false) mail Producer None None {tags}");
    assert_eq!(asked(), expected);

    let deferred = caller.with_flags(TraceFlags::DEFERRED);
    tracing
        .span("left to us")
        .child_of(deferred)
        .start()
        .finish();
    let expected = format!("sample {trace} Some(13) None left to us Internal None None []");
    assert_eq!(asked(), expected);

    let request = Request::post("/users/42?q=1").body(()).unwrap();
    Instrumentation::new(&tracing, "test")
        .begin(&request)
        .fail(None, &"");
    let asked = asked();
    let known = "None None POST Server Some(\"POST\") Some(\"/users/42\") []";
    assert!(asked.ends_with(known), "{asked}");
}

#[test]
fn a_child_is_not_asked_about() {
    let tracer = Listens::default();
    let tracing = HttpTracing::new(tracer.clone());
    let span = tracing.span("root").start();
    span.child("child").finish();
    span.finish();
    let calls = tracer.heard();
    let asked = calls.iter().filter(|call| call.starts_with("sample"));
    assert_eq!(asked.count(), 1, "{calls:?}");
}

#[test]
fn the_default_tracer_follows_callers_and_loses_nothing() {
    struct Quiet;
    impl Tracer for Quiet {
        fn report(&self, _: FinishedSpan) {}
    }
    let tracing = HttpTracing::new(Quiet);
    assert!(tracing.span("root").start().is_recording());
    assert!(tracing.flush(Duration::ZERO).is_complete());
    assert_eq!((tracing.dropped(), tracing.caught_panics()), (0, 0));
}

#[test]
fn a_flush_displays_its_result() {
    let complete = Flushed::COMPLETE;
    let time_out = complete.with_time_out();
    for (flushed, text) in [
        (complete, "complete"),
        (time_out, "timed out"),
        (complete.with_lost(1), "1 span lost"),
        (complete.with_lost(2).with_lost(3), "5 spans lost"),
        (
            time_out.with_lost(u64::MAX).with_lost(1),
            "timed out, 18446744073709551615 spans lost",
        ),
    ] {
        assert_eq!(flushed.to_string(), text);
        assert_eq!(flushed.is_complete(), flushed == complete);
        assert_eq!(
            (flushed.and(complete), complete.and(flushed)),
            (flushed, flushed)
        );
    }
    assert_eq!(
        time_out.and(complete.with_lost(2)),
        complete.with_lost(2).and(time_out)
    );
}

#[test]
fn the_noop_tracer_takes_what_is_forced_on_it() {
    let tracing = HttpTracing::new(NoopTracer);
    assert!(tracing.span("untraced").start().context().is_none());
    let forced = tracing.span("forced").tag("sampling.priority", 1).start();
    assert!(forced.is_recording());
    forced.finish();
    assert_eq!(tracing.caught_panics(), 0);
}

#[test]
fn a_sampling_result_returns_its_decision() {
    for (sampling, decision) in [
        (SamplingResult::undecided(), SamplingDecision::Undecided),
        (
            SamplingResult::pass_through(),
            SamplingDecision::PassThrough,
        ),
        (SamplingResult::drop(), SamplingDecision::Drop),
        (SamplingResult::record_only(), SamplingDecision::RecordOnly),
        (
            SamplingResult::record_and_sample(),
            SamplingDecision::RecordAndSample,
        ),
    ] {
        assert_eq!(sampling.decision(), decision);
        assert_eq!(sampling.with_tag(("k", 1)).decision(), decision);
    }
}

#[test]
fn debug_output_of_a_span_shows_whether_it_is_open() {
    let tracing = HttpTracing::new(InMemoryTracer::new());
    let span = tracing.span("work").start();
    assert!(format!("{span:?}").contains("recording: true"));
    let handle = (*span).clone();
    span.finish();
    assert!(format!("{handle:?}").contains("recording: false"));
    assert!(format!("{:?}", Span::none()).contains("none"));
}
