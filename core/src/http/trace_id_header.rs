//! The trace id to the caller.

use http::HeaderName;

use crate::context::SpanContext;
use crate::propagation::{Carrier, traceparent};

/// The response header that carries the trace id to the caller; none unless asked for.
///
/// `Server-Timing` (W3C Server Timing, "The Server-Timing Header Field") is what browsers show and hand to scripts, to those
/// of another origin only with `Timing-Allow-Origin`. Its entries are added beside those of the application.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, TraceIdHeader};
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new())
///     .return_trace_id(TraceIdHeader::ServerTiming)
///     .build()?;
/// # drop(tracing);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceIdHeader {
    /// `traceresponse: 00-<trace id>-<span id>-<flags>`.
    ///
    /// No published level of W3C Trace Context has this header: it is that of earlier drafts, level 2 was published without
    /// it, and level 3's draft has [`ServerTimingTrace`](Self::ServerTimingTrace) instead. For callers that read it all the
    /// same.
    TraceResponse,
    /// `Server-Timing: trace;desc=00-…, traceparent;desc="00-…"`: the entries of
    /// [`ServerTimingTrace`](Self::ServerTimingTrace) and [`ServerTimingTraceparent`](Self::ServerTimingTraceparent).
    ServerTiming,
    /// `Server-Timing: trace;desc=00-<trace id>-<span id>-<flags>` (W3C Trace Context level 3, editor's draft, "Trace Context
    /// HTTP Response Headers Format").
    ServerTimingTrace,
    /// `Server-Timing: traceparent;desc="00-<trace id>-<span id>-<01 or 00>"`, which agents in browsers read.
    ///
    /// No specification has it; Splunk's agent, where it comes from, takes the flags `01` alone. So the flags are those for
    /// sampled and not sampled, whatever else is known of the trace.
    ServerTimingTraceparent,
    /// A header of this name with the trace id as 32 hexadecimal digits.
    Named(HeaderName),
}

impl TraceIdHeader {
    pub(crate) fn write(&self, context: &SpanContext, headers: &mut dyn Carrier) {
        let flags = context.flags();
        let all = traceparent(context, flags.w3c_bits());
        let sampled = traceparent(context, flags.is_sampled().into());
        let timing = "server-timing";
        match self {
            Self::TraceResponse => headers.set("traceresponse", all.as_str()),
            // One value: not every carrier can append two.
            Self::ServerTiming => headers.append(
                timing,
                &format!("trace;desc={all}, traceparent;desc=\"{sampled}\""),
            ),
            Self::ServerTimingTrace => headers.append(timing, &format!("trace;desc={all}")),
            Self::ServerTimingTraceparent => {
                headers.append(timing, &format!("traceparent;desc=\"{sampled}\""));
            }
            Self::Named(name) => headers.set(name.as_str(), &context.trace_id().to_string()),
        }
    }
}
