//! Expectations of a trace: the first that does not hold is a cell's failure.

use std::fmt::{Debug, Display};
use std::sync::Arc;

use xtask_collector::{Span, TraceId, Value};

use crate::arrivals::Arrivals;

/// An expectation that does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Failure(pub(crate) String);

pub(crate) type Check<T = ()> = Result<T, Failure>;

/// Expects `what` to have this value.
#[expect(
    clippy::needless_pass_by_value,
    reason = "literals and references are what is compared"
)]
pub(crate) fn equal<T: PartialEq + Debug>(what: impl Display, found: T, wanted: T) -> Check {
    holds(found == wanted, || {
        format!("{what} should be {wanted:?} and is {found:?}")
    })
}

/// Expects a condition; otherwise the message is the failure.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Check {
    if condition {
        Ok(())
    } else {
        Err(Failure(otherwise()))
    }
}

/// The spans of one trace.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) spans: Vec<Arc<Span>>,
}

impl Trace {
    /// Waits for a trace of exactly `count` spans.
    pub(crate) fn arrive(arrivals: &Arrivals, trace_id: TraceId, count: usize) -> Check<Self> {
        let spans = arrivals.wait_for(trace_id, count)?;
        let names: Vec<_> = spans
            .iter()
            .map(|span| format!("{} of {}", span.name, span.service))
            .collect();
        holds(spans.len() == count, || {
            format!(
                "the trace should have {count} spans and has {}: {}",
                names.len(),
                names.join(", ")
            )
        })?;
        Ok(Self { spans })
    }

    /// Returns the only child of a span, or of the caller with this id; 0 for the root.
    pub(crate) fn child(&self, parent_id: u64, what: &str) -> Check<&Span> {
        let mut children = self.spans.iter().filter(|span| span.parent_id == parent_id);
        match (children.next(), children.next()) {
            (Some(child), None) => Ok(child),
            (None, _) => Err(Failure(format!(
                "{what} is missing: no span has the parent {parent_id:016x}"
            ))),
            (Some(_), Some(_)) => Err(Failure(format!(
                "{what} is there twice: two spans have the parent {parent_id:016x}"
            ))),
        }
    }
}

/// Expects a tag to have this value.
pub(crate) fn tag(span: &Span, key: &str, wanted: impl Into<Value>) -> Check {
    equal(
        format!("{key} of {} ({})", span.name, span.service),
        span.tag(key),
        Some(&wanted.into()),
    )
}

/// Expects that there is no such tag.
pub(crate) fn no_tag(span: &Span, key: &str) -> Check {
    equal(
        format!("{key} of {} ({})", span.name, span.service),
        span.tag(key),
        None,
    )
}

/// Returns a text as a tag's value.
pub(crate) fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

/// Expects a span's times to be within another's, to the microsecond that both are rounded to.
pub(crate) fn lies_within(inner: &Span, outer: &Span) -> Check {
    let late = inner
        .start_micros
        .zip(outer.start_micros)
        .map(|(inner, outer)| inner - outer);
    let early = outer
        .end_micros()
        .zip(inner.end_micros())
        .map(|(outer, inner)| outer - inner);
    holds(late >= Some(-1) && early >= Some(-1), || {
        let shown = |micros: Option<i64>| {
            micros.map_or_else(|| "unknown".to_owned(), |micros| format!("{micros} µs"))
        };
        format!(
            "{} ({}) should lie within {} ({}): it starts {} after and ends {} before",
            inner.name,
            inner.service,
            outer.name,
            outer.service,
            shown(late),
            shown(early),
        )
    })
}
