//! Where the services' spans arrive, and how a check waits for them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use xtask_collector::{Span, SpanStore, TraceId, Value};
use xtask_jaeger::{Query, Received};

use crate::expect::{Check, Failure};

/// Maximum time from a span's end to its arrival.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(10);

/// Time between two queries to Jaeger.
const PAUSE: Duration = Duration::from_millis(25);

/// Number of the latest traces that a span is searched in, because other cells create traces at the same time.
const LATEST: usize = 100;

/// The collector within the driver, or a real Jaeger.
#[derive(Debug, Clone)]
pub(crate) enum Arrivals {
    Collector(Arc<SpanStore>),
    Jaeger(Arc<Query>),
}

impl Arrivals {
    /// Returns the spans of a trace that have arrived.
    pub(crate) fn trace(&self, trace_id: TraceId) -> Check<Vec<Arc<Span>>> {
        match self {
            Self::Collector(store) => Ok(store.trace(trace_id)),
            Self::Jaeger(query) => query.trace(trace_id).and_then(spans).map_err(Failure),
        }
    }

    /// Waits until a trace has at least `count` spans, but no longer than [`ARRIVAL`], and returns all its spans.
    pub(crate) fn wait_for(&self, trace_id: TraceId, count: usize) -> Check<Vec<Arc<Span>>> {
        match self {
            Self::Collector(store) => match store.wait_for(trace_id, count, ARRIVAL) {
                Ok(spans) | Err(spans) => Ok(spans),
            },
            Self::Jaeger(query) => {
                let mut spans_now = Vec::new();
                poll(|| {
                    spans_now = query.trace(trace_id).and_then(spans).map_err(Failure)?;
                    Ok((spans_now.len() >= count).then_some(()))
                })?;
                Ok(spans_now)
            }
        }
    }

    /// Waits for a span of the service with this tag, and returns its trace.
    pub(crate) fn wait_for_tag(
        &self,
        service: &str,
        key: &str,
        value: &Value,
    ) -> Check<Option<TraceId>> {
        let find = |spans: &[Arc<Span>]| {
            let mut spans = spans.iter();
            let span = spans.find(|span| span.service == service && span.tag(key) == Some(value));
            span.map(|span| span.trace_id)
        };
        match self {
            Self::Collector(store) => Ok(store.wait_until(ARRIVAL, find)),
            Self::Jaeger(query) => poll(|| {
                let latest = query.latest(service, LATEST).and_then(spans);
                let latest = latest.map_err(Failure)?;
                Ok(find(&latest))
            }),
        }
    }
}

/// Queries repeatedly until there is a result, or the time is over.
fn poll<T>(mut ask: impl FnMut() -> Check<Option<T>>) -> Check<Option<T>> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let answer = ask()?;
        if answer.is_some() || Instant::now() >= deadline {
            return Ok(answer);
        }
        thread::sleep(PAUSE);
    }
}

/// Returns the spans, or a warning of Jaeger about one.
fn spans(received: Vec<Received>) -> Result<Vec<Arc<Span>>, String> {
    let warned = |span: &Received| {
        let warning = span.warnings.first()?;
        Some(format!("Jaeger warns of {}: {warning}", span.name))
    };
    match received.iter().find_map(warned) {
        Some(warning) => Err(warning),
        None => Ok(received
            .into_iter()
            .map(|span| Arc::new(span.into()))
            .collect()),
    }
}
