//! Spans and propagation alone.

use std::hint::black_box;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{Outgoing, Propagation};
use opentracing_http::{HttpTracing, NoopTracer, SpanContext};

use crate::measure::Bench;
use crate::variant::{HEADERS, SAMPLED, discarding};

pub(crate) fn benches() -> Vec<Bench> {
    let headers = headers();
    let propagation = Propagation::default();
    let context = propagation.extract(&headers).context().expect("a context");
    let (extracting, injecting) = (propagation.clone(), (propagation, context.clone()));
    vec![
        Bench::new("extract, all three formats", move |times| {
            for _ in 0..times {
                black_box(extracting.extract(black_box(&headers)));
            }
        }),
        Bench::new("inject, two formats", move |times| {
            let (propagation, context) = &injecting;
            let mut bytes = 0;
            for _ in 0..times {
                let mut carrier = |name: &str, value: &str| bytes += name.len() + value.len();
                propagation.inject(&Outgoing::new(black_box(context)), &mut carrier);
            }
            black_box(bytes);
        }),
        span(
            "start + 6 tags + finish, no-op",
            HttpTracing::new(NoopTracer),
            context.clone(),
        ),
        span("start + 6 tags + finish, recorded", discarding(), context),
    ]
}

fn span(name: &str, tracing: HttpTracing, parent: SpanContext) -> Bench {
    Bench::new(name, move |times| {
        for _ in 0..times {
            let span = tracing.span("work").child_of(parent.clone()).start();
            span.set_tags([("a", "static"), ("b", "static"), ("c", "static")]);
            span.set_tags([("d", 1), ("e", 2), ("f", 3)]);
            span.finish();
        }
    })
}

fn headers() -> HeaderMap {
    HEADERS
        .into_iter()
        .chain([("traceparent", SAMPLED)])
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}
