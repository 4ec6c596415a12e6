//! Fan-outs: which tracers sample, whose decision is used, which receive spans.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentracing_http::report::Diagnostics;
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{
    FanOut, FinishedSpan, Flushed, HttpTracing, InMemoryTracer, NoopTracer, Span, SpanContext,
    SpanId, TraceFlags, TraceId, Tracer,
};

/// Returns the given decision, and stores the calls.
#[derive(Clone)]
struct Scripted {
    answer: SamplingResult,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(answer: SamplingResult) -> Self {
        Self {
            answer,
            heard: Arc::default(),
        }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Tracer for Scripted {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        self.answer.clone()
    }

    fn started(&self, _: &Span) {
        self.heard.lock().unwrap().push("started".to_owned());
    }

    fn report(&self, span: FinishedSpan) {
        self.heard.lock().unwrap().push(span.name().to_owned());
    }

    fn dropped(&self) -> u64 {
        1
    }
}

const NOTHING: [&str; 0] = [];

fn keeps() -> Scripted {
    Scripted::new(SamplingResult::record_and_sample())
}

fn drops() -> Scripted {
    Scripted::new(SamplingResult::drop())
}

#[test]
fn reports_only_to_those_that_wanted_the_span() {
    let (first, refuses, local, last) = (
        keeps(),
        drops(),
        Scripted::new(SamplingResult::record_only()),
        keeps(),
    );
    let fan_out = FanOut::new()
        .and(first.clone())
        .and(refuses.clone())
        .and(local.clone())
        .and(NoopTracer)
        .and(last.clone());
    let tracing = HttpTracing::new(fan_out);
    let span = tracing.span("root").start();
    assert!(span.context().unwrap().flags().is_sampled());
    span.child("child").finish();
    span.finish();

    for tracer in [first, last] {
        assert_eq!(tracer.heard(), ["started", "started", "child", "root"]);
    }
    assert_eq!(refuses.heard(), NOTHING);
    assert_eq!(local.heard(), ["started", "started"]);
}

#[test]
fn the_strongest_decision_wins() {
    let answers = [
        SamplingResult::pass_through(),
        SamplingResult::drop(),
        SamplingResult::record_only(),
        SamplingResult::record_and_sample(),
    ];
    for (low, lower) in answers.iter().enumerate() {
        for (high, higher) in answers.iter().enumerate().skip(low) {
            for (first, second) in [(lower, higher), (higher, lower)] {
                let fan_out = FanOut::new()
                    .and(Scripted::new(first.clone()))
                    .and(Scripted::new(second.clone()));
                let tracing = HttpTracing::new(fan_out);
                let span = tracing.span("x").start();
                assert_eq!(span.context().is_some(), high >= 1, "{low} {high}");
                assert_eq!(span.is_recording(), high >= 2, "{low} {high}");
                let sampled = span
                    .context()
                    .is_some_and(|context| context.flags().is_sampled());
                assert_eq!(sampled, high >= 3, "{low} {high}");
            }
        }
    }
}

#[test]
fn tags_are_merged_and_the_first_of_a_key_wins() {
    let tagged = |key: &'static str, value: &'static str| {
        Scripted::new(
            SamplingResult::record_and_sample()
                .with_tag(("sampler.type", value))
                .with_tag((key, true)),
        )
    };
    let memory = InMemoryTracer::new();
    let fan_out = FanOut::new()
        .and(Scripted::new(
            SamplingResult::drop().with_tag(("refused", true)),
        ))
        .and(tagged("one", "first"))
        .and(tagged("two", "second"))
        .and(memory.clone());
    HttpTracing::new(fan_out).span("x").start().finish();
    let span = &memory.finished()[0];
    assert_eq!(span.tag("sampler.type").unwrap(), "first");
    assert_eq!(span.tag("one"), Some(true.into()));
    assert_eq!(span.tag("two"), Some(true.into()));
    assert_eq!(span.tag("refused"), None);
}

#[test]
fn the_tracestate_of_the_winning_decision_is_used() {
    let entry = |sampling: SamplingResult, value: &str| {
        Scripted::new(sampling.with_tracestate("vendor", value))
    };
    let memory = InMemoryTracer::new();
    let fan_out = FanOut::new()
        .and(entry(SamplingResult::drop(), "lost"))
        .and(keeps())
        .and(entry(SamplingResult::record_and_sample(), "won"))
        .and(entry(SamplingResult::record_and_sample(), "late"))
        .and(memory.clone());
    HttpTracing::new(fan_out).span("x").start().finish();
    assert_eq!(
        memory.finished()[0].context().tracestate().as_str(),
        "vendor=won"
    );
}

#[test]
fn an_undecided_tracer_follows_the_caller() {
    let undecided = Scripted::new(SamplingResult::undecided());
    let tracing = HttpTracing::new(FanOut::new().and(undecided.clone()).and(drops()));
    let (trace, span) = (TraceId::new(1).unwrap(), SpanId::new(1).unwrap());
    let caller = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED);
    tracing
        .span("refused")
        .child_of(caller.clone())
        .start()
        .finish();
    assert_eq!(undecided.heard(), NOTHING);
    let caller = caller.with_flags(TraceFlags::SAMPLED);
    tracing.span("sampled").child_of(caller).start().finish();
    assert_eq!(undecided.heard(), ["started", "sampled"]);
}

#[test]
fn a_fan_out_without_tracers_traces_nothing() {
    let tracing = HttpTracing::new(FanOut::new());
    let span = tracing.span("x").start();
    assert!(!span.is_recording());
    assert_eq!(span.context(), None);
    assert!(tracing.flush(Duration::ZERO).is_complete());
}

#[test]
fn a_nested_fan_out_decides_for_each_of_its_tracers() {
    for hidden in [false, true] {
        let (outer, refuses, inner, inner_refuses) = (keeps(), drops(), keeps(), drops());
        let nested = FanOut::new().and(inner_refuses.clone()).and(inner.clone());
        let fan_out = FanOut::new().and(outer.clone()).and(refuses.clone());
        let fan_out = match hidden {
            false => fan_out.and(Arc::new(nested)),
            true => fan_out.and(Arc::new(nested) as Arc<dyn Tracer>),
        };
        HttpTracing::new(fan_out).span("x").start().finish();
        assert_eq!(outer.heard(), ["started", "x"]);
        assert_eq!(inner.heard(), ["started", "x"]);
        assert_eq!(refuses.heard(), NOTHING);
        // A fan-out behind `dyn Tracer` counts as one tracer.
        assert_eq!(!inner_refuses.heard().is_empty(), hidden);
    }
}

#[test]
fn a_hidden_fan_out_that_wants_no_span_receives_none() {
    let (outer, inner) = (keeps(), drops());
    let nested: Arc<dyn Tracer> = Arc::new(FanOut::new().and(inner.clone()));
    HttpTracing::new(FanOut::new().and(nested).and(outer.clone()))
        .span("x")
        .start()
        .finish();
    assert_eq!(outer.heard(), ["started", "x"]);
    assert_eq!(inner.heard(), NOTHING);
}

#[test]
fn a_raised_priority_reaches_all() {
    let (refuses, local) = (drops(), Scripted::new(SamplingResult::record_only()));
    let tracing = HttpTracing::new(FanOut::new().and(refuses.clone()).and(local.clone()));
    let span = tracing.span("x").start();
    span.set_tag("sampling.priority", 1);
    span.finish();
    assert_eq!(refuses.heard(), ["x"]);
    assert_eq!(local.heard(), ["started", "x"]);
}

#[test]
fn forty_tracers_work() {
    let tracers: Vec<Scripted> = (0..40)
        .map(|index| {
            if index % 2 == 0 || index == 39 {
                keeps()
            } else {
                drops()
            }
        })
        .collect();
    let fan_out: FanOut = tracers.iter().cloned().collect();
    HttpTracing::new(fan_out).span("x").start().finish();
    for (index, tracer) in tracers.iter().enumerate() {
        let wanted = index % 2 == 0 || index >= 23;
        assert_eq!(!tracer.heard().is_empty(), wanted, "{index}");
    }
}

#[test]
fn a_panic_in_one_tracer_affects_only_that_tracer() {
    struct Panics;

    impl Tracer for Panics {
        fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
            panic!("in sample");
        }

        fn started(&self, _: &Span) {
            panic!("in started");
        }

        fn report(&self, _: FinishedSpan) {
            panic!("in report");
        }

        fn flush(&self, _: Duration) -> Flushed {
            panic!("in flush");
        }

        fn attach(&self, _: &Diagnostics) {
            panic!("in attach");
        }

        fn dropped(&self) -> u64 {
            panic!("in dropped");
        }
    }

    let (first, last) = (keeps(), keeps());
    let fan_out = Arc::new(
        FanOut::new()
            .and(first.clone())
            .and(Panics)
            .and(last.clone()),
    );
    let tracing = HttpTracing::new(fan_out.clone() as Arc<dyn Tracer>);
    tracing.span("x").start().finish();
    let flushed = tracing.flush(Duration::ZERO);
    assert!(flushed.panicked() && !flushed.is_complete(), "{flushed}");
    assert_eq!(tracing.dropped(), 2);
    for tracer in [first, last] {
        assert_eq!(tracer.heard(), ["started", "x"]);
    }
    assert_eq!(fan_out.caught_panics(), 6);
    assert_eq!(tracing.caught_panics(), 0);
}

#[test]
fn a_flush_gives_each_the_whole_time() {
    struct Times(Arc<Mutex<Vec<Duration>>>, Flushed);

    impl Tracer for Times {
        fn report(&self, _: FinishedSpan) {}

        fn flush(&self, timeout: Duration) -> Flushed {
            self.0.lock().unwrap().push(timeout);
            self.1
        }
    }

    let (complete, lost) = (Flushed::COMPLETE, Flushed::COMPLETE.with_lost(2));
    let time_out = complete.with_time_out();
    for (answers, sum) in [
        ([complete; 3], complete),
        ([complete, time_out, complete], time_out),
        ([lost, complete, lost], complete.with_lost(4)),
        ([lost, time_out, complete], time_out.with_lost(2)),
    ] {
        let times = Arc::<Mutex<Vec<Duration>>>::default();
        let fan_out: FanOut = answers
            .map(|answer| Times(times.clone(), answer))
            .into_iter()
            .collect();
        assert_eq!(fan_out.flush(Duration::from_secs(7)), sum);
        assert_eq!(fan_out.end(Duration::from_secs(7)), sum);
        assert_eq!(*times.lock().unwrap(), [Duration::from_secs(7); 6]);
    }
}
