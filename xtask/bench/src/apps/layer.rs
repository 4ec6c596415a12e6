//! The layer for `tracing`'s spans: one span with one field is created, entered, left and closed.

use std::hint::black_box;
use std::sync::Arc;

use opentracing_http::{HttpTracing, Span};
use opentracing_tracing::SpanLayer;
use tracing::{Dispatch, Subscriber, info, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

use super::App;
use super::parts::{Once, Parts};
use crate::case::{BARE, Backend, Case, Formats, Mount, NOTHING, Policy};

const fn case(name: &'static str, mount: Mount) -> Case {
    Case {
        name,
        bare: BARE,
        mount,
        context: &[],
    }
}

const fn traced(name: &'static str, backend: Backend) -> Case {
    case(
        name,
        Mount::Traced(Policy {
            backend,
            formats: Formats::All,
            attributes: false,
            skip: false,
        }),
    )
}

/// A layer that does nothing: the cost of the registry's filters for single layers.
struct Nothing;

impl<S: Subscriber> Layer<S> for Nothing {}

const NO_REQUEST: &str = "no request";
const EVENT: &str = "recorded, with an event";

/// The cases. The first one is the registry without the layer, so that the others are the layer's own cost.
pub(super) const CASES: [Case; 6] = [
    case(BARE, Mount::Bare),
    case(NOTHING, Mount::Nothing),
    case(NO_REQUEST, Mount::Nothing),
    traced("not recorded", Backend::Noop),
    traced("recorded", Backend::Discarding),
    traced(EVENT, Backend::Discarding),
];

pub(super) fn app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let registry = tracing_subscriber::registry();
    let subscriber = match case.name {
        BARE => Dispatch::new(registry),
        NOTHING => Dispatch::new(registry.with(Nothing.with_filter(LevelFilter::INFO))),
        _ => Dispatch::new(registry.with(SpanLayer::new().with_filter(LevelFilter::INFO))),
    };
    let request = tracing.map(|tracing| tracing.span("request").start());
    let has_event = case.name == EVENT;
    let once: Once = Arc::new(move || {
        let request = request.as_deref().cloned().unwrap_or(Span::none());
        tracing::dispatcher::with_default(&subscriber, || {
            request.in_scope(|| {
                info_span!("work", item = 7).in_scope(|| {
                    if has_event {
                        info!(item = 7, "asking");
                    }
                    black_box(())
                });
            });
        });
    });
    Box::new(Parts(once))
}
