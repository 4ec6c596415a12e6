//! W3C Trace Context level 2 (<https://www.w3.org/TR/trace-context-2/>) and W3C Baggage
//! (<https://www.w3.org/TR/baggage/>).

mod baggage;
mod traceparent;
mod tracestate;

use opentracing_http::propagation::{W3c, W3cTraceContext};
use opentracing_http::{SpanContext, TraceFlags};

use super::super::{Carries, Format, context};
use super::members;

/// W3C Trace Context level 2 and W3C Baggage, with the cases of W3C's own test suite and more.
#[must_use]
pub fn w3c() -> Format {
    let carries = Carries {
        random: true,
        tracestate: true,
        baggage: true,
        properties: true,
        key_case: true,
        ..Carries::IDS_AND_DECISION
    };
    let tables = [traceparent::table(), tracestate::table(), baggage::table()];
    Format::new(W3c, carries, tables)
}

/// W3C Trace Context level 2 without W3C Baggage.
#[must_use]
pub fn w3c_trace_context() -> Format {
    let carries = Carries {
        random: true,
        tracestate: true,
        ..Carries::IDS_AND_DECISION
    };
    let tables = [traceparent::table(), tracestate::table()];
    Format::new(W3cTraceContext, carries, tables)
}

const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

/// The context of [`VALID`].
fn sampled() -> SpanContext {
    ids(TraceFlags::SAMPLED)
}

fn ids(flags: TraceFlags) -> SpanContext {
    context(
        0x1234_5678_9012_3456_7890_1234_5678_9012,
        0x1234_5678_9012_3456,
        flags,
    )
}
