//! Tracing that is disabled by the environment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentracing_http::report::Diagnostics;
use opentracing_http::sampler::Always;
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::server::Instrumentation;
use opentracing_http::{FinishedSpan, Span, Tracer, Trust};

use super::*;

const DISABLED: &str = "OTEL_SDK_DISABLED";

/// Must not be called.
struct Untouchable {
    dropped: Arc<AtomicU64>,
}

impl Tracer for Untouchable {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        unreachable!()
    }

    fn started(&self, _: &Span) {
        unreachable!()
    }

    fn report(&self, _: FinishedSpan) {
        unreachable!()
    }

    fn attach(&self, _: &Diagnostics) {
        unreachable!()
    }
}

impl Drop for Untouchable {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn disabled(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
) -> (HttpTracing, Arc<AtomicU64>) {
    let dropped = Arc::new(AtomicU64::new(0));
    let tracer = Untouchable {
        dropped: dropped.clone(),
    };
    let variables = [(DISABLED, "true")];
    let builder = HttpTracing::builder(tracer).env_with(table(&variables));
    (change(builder).build().unwrap(), dropped)
}

/// Returns the headers that a handler of a request with these headers sends out, after it has run `handler`.
fn passed_on(
    tracing: &HttpTracing,
    headers: &[(&str, &str)],
    handler: impl FnOnce(&Span),
) -> Vec<(String, String)> {
    let request = http::Request::get("/");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let instrumentation = Instrumentation::new(tracing, "test");
    let mut span = instrumentation.begin(&request.body(()).unwrap());
    let mut outgoing = Vec::new();
    span.scope(|| {
        let span = Span::current();
        assert!(!span.is_recording());
        handler(&span);
        let child = span.child("call");
        assert!(!child.is_recording());
        child.inject(&mut outgoing);
    });
    outgoing
}

#[test]
fn nothing_is_recorded_and_contexts_pass_through() {
    let (tracing, dropped) = disabled(|policy| policy);
    assert_eq!(
        dropped.load(Ordering::Relaxed),
        1,
        "the tracer is let go of"
    );
    let headers = [
        ("traceparent", SAMPLED),
        ("tracestate", "house=1"),
        ("baggage", "tenant=7"),
    ];
    let outgoing = passed_on(&tracing, &headers, |_| {});
    for (name, value) in headers {
        assert!(
            outgoing.contains(&(name.to_owned(), value.to_owned())),
            "{outgoing:?}"
        );
    }
    assert_eq!(passed_on(&tracing, &[], |_| {}), []);
    assert!(!tracing.span("job").start().is_recording());
    assert!(tracing.flush(Duration::ZERO).is_complete());
    assert_eq!((tracing.dropped(), tracing.caught_panics()), (0, 0));
}

#[test]
fn requests_for_recording_are_ignored() {
    let (tracing, _) = disabled(|policy| {
        policy
            .sampler(Always)
            .sampling_rules(["/ = always"])
            .trust_debug(Trust::everyone())
            .on_start(|_, _| unreachable!())
    });
    let traceparent = ("traceparent", UNSAMPLED);
    for priority in [0, 1] {
        let outgoing = passed_on(&tracing, &[traceparent], |span| {
            span.set_tag("sampling.priority", priority);
        });
        assert!(outgoing.contains(&(traceparent.0.to_owned(), traceparent.1.to_owned())));
        let root = tracing
            .span("job")
            .tag("sampling.priority", priority)
            .start();
        assert!(!root.is_recording() && root.context().is_none());
        let caller = tracing.extract(&[traceparent]).unwrap();
        let below = tracing.span("job").child_of(caller.clone());
        let below = below.tag("sampling.priority", priority).start();
        assert!(!below.is_recording());
        assert_eq!(below.context(), Some(caller));
    }
    assert_eq!(
        passed_on(&tracing, &[("jaeger-debug-id", "find me")], |_| {}),
        []
    );
    // A span of another policy is not recorded either.
    let (other, tracer) = traced(|policy| policy);
    let outer = other.span("outer").start();
    outer.in_scope(|| {
        let below = tracing.span("below").start();
        assert!(!below.is_recording());
        assert_eq!(below.context(), outer.context());
        passed_on(&tracing, &[], |_| {});
    });
    outer.finish();
    assert_eq!(tracer.take().len(), 1);
    assert_eq!(tracing.caught_panics(), 0);
}

#[test]
fn finish_callbacks_are_called_when_disabled() {
    let ends = Arc::new(AtomicU64::new(0));
    let counted = ends.clone();
    let (tracing, _) = disabled(|policy| {
        policy.on_finish(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        })
    });
    passed_on(&tracing, &[("traceparent", SAMPLED)], |_| {});
    assert_eq!(ends.load(Ordering::Relaxed), 1);
}

#[test]
fn formats_of_the_environment_apply_when_disabled() {
    let variables = [(DISABLED, "TRUE"), ("OTEL_PROPAGATORS", "b3")];
    let tracing = with(&variables);
    let b3 = ("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1");
    let outgoing = passed_on(&tracing, &[b3, ("traceparent", SAMPLED)], |_| {});
    assert_eq!(outgoing, [(b3.0.to_owned(), b3.1.to_owned())]);
}

#[test]
fn only_true_disables() {
    for (value, records) in [
        ("True", false),
        (" true ", false),
        ("false", true),
        ("FALSE", true),
        ("", true),
    ] {
        let tracing = with(&[(DISABLED, value)]);
        assert_eq!(
            tracing.span("x").start().is_recording(),
            records,
            "{value:?}"
        );
    }
    for value in ["1", "yes", "on", "truee"] {
        let (option, text) = fault(&[(DISABLED, value)]);
        assert_eq!(option, DISABLED);
        assert!(text.contains("neither `true` nor `false`"), "{text}");
    }
    // Reading other variables later can enable tracing again; code cannot.
    let (again, _) = traced(|policy| {
        policy
            .env_with(table(&[(DISABLED, "true")]))
            .env_with(table(&[(DISABLED, "false")]))
    });
    assert!(again.span("x").start().is_recording());
}
