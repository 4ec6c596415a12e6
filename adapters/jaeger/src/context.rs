//! Converts span contexts to and from those of `rustracing_jaeger`.

use opentracing_http::{Baggage, SpanContext, SpanId, TraceFlags, TraceId};
use rustracing::span::BaggageItem;
use rustracing_jaeger::span as rustracing_span;
use rustracing_jaeger::span::{SpanContextState, SpanContextStateBuilder};

/// Flag bits of `rustracing_jaeger`, which are those of the wire format.
const SAMPLED: u8 = 1;
const DEBUG: u8 = 2;

/// Converts a context for code that uses `rustracing_jaeger` directly: ids, flags, baggage.
///
/// A span that `rustracing_jaeger` starts below a context that is not sampled is sampled anyway by most of its
/// samplers; check [`is_sampled`](TraceFlags::is_sampled) first.
///
/// ```
/// use opentracing_http::{SpanContext, TraceFlags};
/// use opentracing_jaeger::{from_rustracing, to_rustracing};
///
/// let context = SpanContext::new(
///     "4bf92f3577b34da6a3ce929d0e0e4736".parse()?,
///     "00f067aa0ba902b7".parse()?,
///     TraceFlags::SAMPLED,
/// );
/// let theirs = to_rustracing(&context);
/// assert_eq!(theirs.state().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1");
/// assert_eq!(from_rustracing(&theirs), Some(context));
/// # Ok::<(), opentracing_http::error::ParseIdError>(())
/// ```
#[must_use]
pub fn to_rustracing(context: &SpanContext) -> rustracing_span::SpanContext {
    let items = context
        .baggage()
        .iter()
        .map(|(key, value)| BaggageItem::new(key, value));
    rustracing_span::SpanContext::new(state(context), items.collect())
}

fn state(context: &SpanContext) -> SpanContextState {
    let (trace_id, span_id) = (context.trace_id().get(), context.span_id().get());
    let flags = context.flags();
    let debug = if flags.is_debug() { DEBUG } else { 0 };
    let flags = debug | if flags.is_sampled() { SAMPLED } else { 0 };
    // The builder accepts only one value of the flags; the text form accepts all.
    let text = format!("{trace_id:x}:{span_id:x}:0:{flags:x}");
    text.parse().unwrap_or_else(|_| {
        let builder = SpanContextStateBuilder::new().trace_id(rustracing_span::TraceId {
            high: (trace_id >> 64) as u64,
            low: trace_id as u64,
        });
        builder.span_id(span_id).finish()
    })
}

/// Converts a context of `rustracing_jaeger`. Returns `None` if the trace id or the span id is zero, as in what
/// `rustracing_jaeger` extracts from a lone `jaeger-debug-id`.
///
/// A debug id makes it a [debug](TraceFlags::DEBUG) context. The debug flag is kept; alone it does not make the context
/// a sampled one, because some senders set it for every trace that is not sampled. Baggage that no header could carry
/// (the key is not a token, or it exceeds the limits) is left out. See [`to_rustracing`] for an example.
#[must_use]
pub fn from_rustracing(context: &rustracing_span::SpanContext) -> Option<SpanContext> {
    let state = context.state();
    let trace_id = u128::from(state.trace_id().high) << 64 | u128::from(state.trace_id().low);
    let flags = if state.is_sampled() {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::NOT_SAMPLED
    };
    let flags = match state.debug_id() {
        Some(_) => TraceFlags::DEBUG,
        None if state.flags() & DEBUG != 0 => flags.with_debug(),
        None => flags,
    };
    let mut baggage = Baggage::new();
    for item in context.baggage_items() {
        baggage.set(item.name(), item.value());
    }
    let ours = SpanContext::new(
        TraceId::new(trace_id)?,
        SpanId::new(state.span_id())?,
        flags,
    );
    Some(ours.with_baggage(baggage))
}
