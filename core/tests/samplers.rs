//! Samplers in the policy and in a reporter, as services configure them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::sampler::{
    Always, Never, ParentBased, Probability, RateLimit, Rules, Sampler,
};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    FinishedSpan, HttpTracing, InMemoryTracer, SpanContext, SpanId, TraceFlags, TraceId, Tracer,
};

fn policy(sampler: impl Sampler + 'static) -> (HttpTracing, InMemoryTracer) {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .sampler(sampler)
        .build()
        .unwrap();
    (tracing, tracer)
}

fn caller(flags: TraceFlags) -> SpanContext {
    SpanContext::new(TraceId::new(7).unwrap(), SpanId::new(7).unwrap(), flags)
}

#[test]
fn recorded_spans_have_the_tags_of_their_sampler() {
    for (sampler, kind, param) in [
        (Box::new(Always) as Box<dyn Sampler>, "const", true.into()),
        (
            Box::new(Probability::new(1.0).unwrap()),
            "probabilistic",
            1.0.into(),
        ),
        (
            Box::new(RateLimit::per_second(5.0).unwrap()),
            "ratelimiting",
            5.0.into(),
        ),
    ] {
        let (tracing, tracer) = policy(ParentBased::new(sampler));
        tracing.span("root").start().finish();
        let span = &tracer.finished()[0];
        assert_eq!(span.tag("sampler.type").unwrap(), kind);
        assert_eq!(span.tag("sampler.param"), Some(param));
    }
}

#[test]
fn only_the_span_that_was_decided_here_is_tagged() {
    let (tracing, tracer) = policy(ParentBased::new(Always));
    let root = tracing.span("root").start();
    root.child("child").finish();
    tracing
        .span("continued")
        .child_of(caller(TraceFlags::SAMPLED))
        .start()
        .finish();
    for span in tracer.finished() {
        assert_eq!(span.tag("sampler.type"), None, "{span:?}");
    }
    root.finish();
    assert_eq!(
        tracer.named("root")[0].tag("sampler.type").unwrap(),
        "const"
    );
}

#[test]
fn dropped_requests_propagate_not_sampled() {
    let (tracing, tracer) = policy(Probability::new(0.0).unwrap());
    let span = tracing.span("root").start();
    assert!(!span.is_recording());
    assert!(!span.context().unwrap().flags().is_sampled());
    assert!(!span.child("child").is_recording());
    span.finish();
    assert!(tracer.finished().is_empty());
}

#[test]
fn parent_based_follows_the_caller_and_decides_for_those_who_defer() {
    for (root, flags, kept) in [
        (
            Box::new(Never) as Box<dyn Sampler>,
            TraceFlags::SAMPLED,
            true,
        ),
        (Box::new(Never), TraceFlags::DEFERRED, false),
        (Box::new(Always), TraceFlags::NOT_SAMPLED, false),
        (Box::new(Always), TraceFlags::DEFERRED, true),
    ] {
        let (tracing, tracer) = policy(ParentBased::new(root));
        tracing
            .span("work")
            .child_of(caller(flags))
            .start()
            .finish();
        assert_eq!(!tracer.finished().is_empty(), kept, "{flags:?}");
    }
}

#[test]
fn services_with_the_same_share_keep_the_same_traces() {
    let (one, kept_by_one) = policy(Probability::new(0.5).unwrap());
    let (other, kept_by_other) = policy(Arc::new(Probability::new(0.5).unwrap()));
    for id in 1..=200u128 {
        // Distributes the ids over the bits that the sampler reads.
        let trace =
            TraceId::new(id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).unwrap();
        let context = SpanContext::new(trace, SpanId::new(1).unwrap(), TraceFlags::DEFERRED);
        one.span("one").child_of(context.clone()).start().finish();
        other.span("other").child_of(context).start().finish();
    }
    let traces = |tracer: &InMemoryTracer| -> Vec<TraceId> {
        let spans = tracer.finished();
        spans.iter().map(|span| span.context().trace_id()).collect()
    };
    let kept = traces(&kept_by_one);
    assert!((50..150).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept, traces(&kept_by_other));
}

/// Returns whether this sampler records a trace with this id.
fn keeps(tracing: &HttpTracing, trace_id: u128) -> bool {
    let context = SpanContext::new(
        TraceId::new(trace_id).unwrap(),
        SpanId::new(1).unwrap(),
        TraceFlags::DEFERRED,
    );
    tracing.span("x").child_of(context).start().is_recording()
}

#[test]
fn probability_looks_at_the_last_56_bits_of_the_trace_id_only() {
    const HIGHEST: u128 = (1 << 56) - 1;
    let (none, _) = policy(Probability::new(0.0).unwrap());
    let (half, _) = policy(Probability::new(0.5).unwrap());
    let (all, _) = policy(Probability::new(1.0).unwrap());
    for above in [0, 1 << 56, !HIGHEST] {
        assert!(!keeps(&none, above | HIGHEST));
        assert!(keeps(&half, above | HIGHEST) && keeps(&half, above | 1 << 55));
        assert!(!keeps(&half, above | ((1 << 55) - 1)));
        assert!(keeps(&all, above | 1));
    }
}

#[test]
fn probability_records_the_configured_share() {
    for share in [0.1, 0.3] {
        let (tracing, tracer) = policy(Probability::new(share).unwrap());
        for _ in 0..20_000 {
            tracing.span("x").start().finish();
        }
        let (kept, expected) = (tracer.finished().len() as f64, 20_000.0 * share);
        // The tolerance is more than eight standard deviations.
        assert!((kept - expected).abs() < 600.0, "{share}: {kept}");
    }
}

#[test]
fn threads_share_one_rate_limit() {
    let (tracing, tracer) = policy(RateLimit::per_second(100.0).unwrap());
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    tracing.span("x").start().finish();
                }
            });
        }
    });
    let (kept, refilled) = (
        tracer.finished().len(),
        began.elapsed().as_secs_f64() * 100.0,
    );
    assert!(kept >= 100 && kept <= 101 + refilled as usize, "{kept}");
}

#[test]
fn a_wrong_share_and_a_wrong_rate_are_errors() {
    for share in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
        let error = Probability::new(share).unwrap_err().to_string();
        assert!(
            error.contains("give the share of traces to record"),
            "{error}"
        );
    }
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        let error = RateLimit::per_second(rate).unwrap_err().to_string();
        assert!(error.contains("is not a limit"), "{error}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = Rules::new()
        .rule("GET /health".parse().unwrap(), Never)
        .rule("/health".parse().unwrap(), Always)
        .rule("/inner".parse().unwrap(), Rules::new())
        .otherwise(Never);
    let (tracing, tracer) = policy(rules);
    let instrumentation = Instrumentation::new(&tracing, "test");
    for (method, path, kept) in [
        ("GET", "/health", false),
        ("POST", "/health?x=/other", true),
        ("GET", "/other", false),
        // If the sampler of a rule is undecided, the tracer decides, not the rules after it.
        ("GET", "/inner", true),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(())
            .unwrap();
        drop(instrumentation.begin(&request));
        assert_eq!(tracer.take().len(), usize::from(kept), "{method} {path}");
    }
}

#[test]
fn rules_ignore_spans_that_are_not_requests() {
    let (tracing, tracer) = policy(Rules::new().rule("/*".parse().unwrap(), Never));
    tracing.span("job").start().finish();
    assert_eq!(tracer.finished().len(), 1);
}

#[test]
fn undecided_leaves_the_decision_to_the_tracer() {
    struct Refuses;

    impl Tracer for Refuses {
        fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
            SamplingResult::drop()
        }

        fn report(&self, span: FinishedSpan) {
            panic!("reported {span:?}");
        }
    }

    let tracing = HttpTracing::builder(Refuses)
        .sampler(Rules::new())
        .build()
        .unwrap();
    let span = tracing.span("job").start();
    assert!(!span.is_recording());
    span.finish();
    assert_eq!(tracing.caught_panics(), 0);
}

#[test]
fn a_sampler_is_usable_behind_a_pointer() {
    fn is_sampler(_: &impl Sampler) {}
    is_sampler(&Box::new(Always));
    is_sampler(&Arc::new(Never));
    is_sampler(&(Box::new(Never) as Box<dyn Sampler>));
    is_sampler(&(Arc::new(Never) as Arc<dyn Sampler>));
}

#[test]
fn a_reporter_takes_a_sampler_of_its_own() {
    struct Discard;

    impl Exporter for Discard {
        fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
            Ok(())
        }
    }

    let follows = Reporter::with_defaults(Discard).unwrap();
    let refuses = Reporter::builder().sampler(Never).build(Discard).unwrap();
    for (reporter, kept) in [(follows, true), (refuses, false)] {
        let tracing = HttpTracing::new(reporter);
        let span = tracing.span("work").start();
        assert_eq!(span.is_recording(), kept);
        let refused = tracing
            .span("refused")
            .child_of(caller(TraceFlags::NOT_SAMPLED))
            .start();
        assert!(!refused.is_recording());
    }
}

#[test]
fn a_debug_flag_is_not_propagated_after_a_sampler_dropped_the_span() {
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .sampler(Never)
        .build()
        .unwrap();
    for flags in ["2", "3"] {
        let message = [("uber-trace-id", format!("abc:12:0:{flags}"))];
        let context = tracing.extract(&message).unwrap();
        assert!(context.flags().is_debug());
        let job = tracing.span("job").child_of(context).start();
        assert_eq!(job.context().unwrap().flags(), TraceFlags::NOT_SAMPLED);
        let mut headers = Vec::new();
        job.inject(&mut headers);
        assert!(
            headers.iter().any(|(_, value)| value.ends_with(":0:0")),
            "{headers:?}"
        );
    }
}
