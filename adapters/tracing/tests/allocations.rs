//! The allocations that the layer adds to those of `tracing` and of its registry.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use opentracing_http::{FinishedSpan, HttpTracing, NoopTracer, Tracer};
use opentracing_tracing::SpanLayer;
use tracing::{Dispatch, info, info_span, instrument};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// A tracer that drops every span.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

#[instrument]
fn order(item: u32) {
    stock(item);
}

#[instrument(skip_all)]
fn stock(item: u32) {
    let span = info_span!("ask");
    span.in_scope(|| std::hint::black_box(item));
}

/// Returns the number of allocations of `f` within a span of this policy, if there is one.
fn allocations(subscriber: &Dispatch, tracing: Option<&HttpTracing>, f: fn()) -> u64 {
    let once = || match tracing {
        Some(tracing) => {
            let request = tracing.span("request").start();
            let info = request.in_scope(|| measure(f));
            info.count_total
        }
        None => measure(f).count_total,
    };
    tracing::dispatcher::with_default(subscriber, || {
        // The first calls fill the registry, the pool and the layer's maps.
        (0..64).for_each(|_| {
            once();
        });
        once()
    })
}

fn with_layer() -> Dispatch {
    let layer = SpanLayer::new().with_filter(LevelFilter::INFO);
    Dispatch::new(tracing_subscriber::registry().with(layer))
}

fn calls() {
    order(7);
}

#[test]
fn call_outside_of_requests_costs_no_allocation() {
    let bare = allocations(&Dispatch::new(tracing_subscriber::registry()), None, calls);
    assert_eq!(allocations(&with_layer(), None, calls), bare);
}

#[test]
fn call_in_a_request_that_is_not_recorded_costs_no_allocation() {
    let bare = Dispatch::new(tracing_subscriber::registry());
    let unsampled = HttpTracing::builder(Discard)
        .sampler(opentracing_http::sampler::Never)
        .build()
        .unwrap();
    for tracing in [HttpTracing::new(NoopTracer), unsampled] {
        let without = allocations(&bare, Some(&tracing), calls);
        assert_eq!(allocations(&with_layer(), Some(&tracing), calls), without);
        let event = || info!(item = 7, "asking");
        assert_eq!(allocations(&with_layer(), Some(&tracing), event), 0);
    }
}

#[test]
fn recorded_spans_cost_their_tags() {
    let tracing = HttpTracing::new(Discard);
    let bare = Dispatch::new(tracing_subscriber::registry());
    let count = |f| {
        let without = allocations(&bare, Some(&tracing), f);
        allocations(&with_layer(), Some(&tracing), f) - without
    };
    // Memory of spans is used again, that of their tags as well.
    assert_eq!(count(|| drop(info_span!("work"))), 0);
    // The list in which the fields are collected.
    assert_eq!(count(|| drop(info_span!("work", item = 7))), 1);
    assert_eq!(
        count(|| drop(info_span!("work", item = 7, step = "a", last = true))),
        1
    );
    // The list of an event's fields.
    assert_eq!(count(|| info!(item = 7, "asking")), 1);
    // `order` has a field, the others have none.
    assert_eq!(count(calls), 1);
}
