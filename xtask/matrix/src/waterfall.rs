//! The lines of a trace's waterfall diagram.

use std::sync::Arc;

use xtask_collector::Span;

/// A span's line.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) span: &'a Span,
    /// Number of ancestors of the span in the trace.
    pub(crate) depth: usize,
    /// The time from the trace's start to the span's, as a fraction of the whole.
    pub(crate) offset: f64,
    /// The span's duration as a fraction of the whole.
    pub(crate) width: f64,
}

/// Returns the lines, each span after its parent, and the trace's duration in microseconds.
pub(crate) fn lines(spans: &[Arc<Span>]) -> (Vec<Line<'_>>, i64) {
    let start = spans
        .iter()
        .filter_map(|span| span.start_micros)
        .min()
        .unwrap_or_default();
    let end = spans
        .iter()
        .filter_map(|span| span.end_micros())
        .max()
        .unwrap_or_default();
    let whole = (end - start).max(1);

    let mut sorted: Vec<&Span> = spans.iter().map(AsRef::as_ref).collect();
    sorted.sort_by_key(|span| span.start_micros);
    let is_root = |span: &Span| !sorted.iter().any(|other| other.id == span.parent_id);
    let mut lines = Vec::with_capacity(sorted.len());
    let mut waiting: Vec<(&Span, usize)> = sorted
        .iter()
        .rev()
        .filter(|span| is_root(span))
        .map(|span| (*span, 0))
        .collect();
    while let Some((span, depth)) = waiting.pop() {
        let micros = |value: Option<i64>| value.unwrap_or_default() as f64;
        lines.push(Line {
            span,
            depth,
            offset: (micros(span.start_micros) - start as f64) / whole as f64,
            width: micros(span.duration_micros) / whole as f64,
        });
        // Spans that are each other's parents have no root and are not drawn, so this loop ends.
        let children = sorted
            .iter()
            .rev()
            .filter(|child| child.parent_id == span.id && child.id != span.id);
        waiting.extend(children.map(|child| (*child, depth + 1)));
    }
    (lines, whole)
}

/// Returns a duration in a readable form.
pub(crate) fn duration(micros: i64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}
