//! What a scope costs in allocations, and a span on its way to an exporter.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentracing_http::sampler::{Always, Never, Sampler};
use opentracing_http::{HttpTracing, InMemoryTracer, NoopTracer, Span, TraceState};
use opentracing_opentelemetry::OpenTelemetryScopes;

fn policy(sampler: impl Sampler + 'static, hook: OpenTelemetryScopes) -> HttpTracing {
    HttpTracing::builder(InMemoryTracer::new())
        .sampler(sampler)
        .scope_hook(hook)
        .build()
        .unwrap()
}

/// Allocations of one scope.
fn scope(span: &Span) -> u64 {
    // The first fills thread-locals.
    span.in_scope(|| ());
    let info = measure(|| span.in_scope(|| ()));
    assert_eq!(info.count_current, 0);
    info.count_total
}

#[test]
fn scope_of_a_recorded_span_costs_two() {
    let span = policy(Always, OpenTelemetryScopes::new())
        .span("work")
        .start();
    assert_eq!(scope(&span), 2);
    // Shown already: nothing is made anew.
    span.in_scope(|| assert_eq!(scope(&span), 0));
    span.set_baggage_item("tenant", "blue");
    assert_eq!(scope(&span), 2);
}

#[test]
fn scope_of_a_span_that_is_not_recorded_costs_one_and_without_a_context_nothing() {
    let span = policy(Never, OpenTelemetryScopes::new())
        .span("work")
        .start();
    assert_eq!(scope(&span), 1);
    let noop = HttpTracing::builder(NoopTracer).scope_hook(OpenTelemetryScopes::new());
    let span = noop.build().unwrap().span("work").start();
    assert_eq!(scope(&span), 0);
}

#[test]
fn tracestate_costs_two_copies_for_a_recorded_span() {
    let tracing = policy(Always, OpenTelemetryScopes::new());
    for members in [1, 2, 32] {
        let list: Vec<String> = (0..members).map(|n| format!("key{n}=value")).collect();
        let list = TraceState::parse([list.join(",").as_bytes()]).unwrap();
        let root = tracing.span("root").root().start().context().unwrap();
        let span = tracing.span("work").child_of(root.with_tracestate(list));
        let cost = scope(&span.start());
        // Of each member a key and a value, and the deque, which grows while it is filled.
        let copies = 2 * (2 * members + 1);
        assert!(cost <= 2 + copies + 4, "{members}: {cost}");
    }
}

#[test]
fn baggage_that_is_asked_for_costs_per_pair() {
    let tracing = policy(Always, OpenTelemetryScopes::new().with_baggage());
    for pairs in [1, 8, 64] {
        let span = tracing.span("work").start();
        for pair in 0..pairs {
            span.set_baggage_item(&format!("key{pair}"), "value");
        }
        let cost = scope(&span);
        assert!(cost <= 12 + 3 * pairs, "{pairs}: {cost}");
    }
}

#[test]
fn ambient_parent_costs_nothing_where_there_is_none() {
    let hook = OpenTelemetryScopes::new();
    let ask = || {
        let info = measure(|| {
            assert!(opentracing_http::scope::ScopeHook::ambient_parent(&hook).is_none());
        });
        info.count_total
    };
    ask();
    assert_eq!(ask(), 0);
    let invalid = Context::new().with_remote_span_context(SpanContext::NONE);
    let _guard = invalid.attach();
    assert_eq!(ask(), 0);
}
