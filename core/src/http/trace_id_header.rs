//! The response header with the trace id.

use http::HeaderName;

use crate::context::SpanContext;
use crate::propagation::{Carrier, traceparent};

/// The response header that returns the trace id to the caller. None by default.
///
/// Browsers show `Server-Timing` (W3C Server Timing, "The Server-Timing Header Field") and make it available to
/// scripts; to scripts of another origin only with `Timing-Allow-Origin`. Entries are added to those of the
/// application.
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
    /// No published level of W3C Trace Context has this header. Earlier drafts had it, level 2 was published without
    /// it, and the draft of level 3 has [`ServerTimingTrace`](Self::ServerTimingTrace) instead. It is for callers that
    /// read it anyway.
    TraceResponse,
    /// `Server-Timing: trace;desc=00-…, traceparent;desc="00-…"`: the entries of
    /// [`ServerTimingTrace`](Self::ServerTimingTrace) and [`ServerTimingTraceparent`](Self::ServerTimingTraceparent).
    ServerTiming,
    /// `Server-Timing: trace;desc=00-<trace id>-<span id>-<flags>` (W3C Trace Context level 3, editor's draft, "Trace Context
    /// HTTP Response Headers Format").
    ServerTimingTrace,
    /// `Server-Timing: traceparent;desc="00-<trace id>-<span id>-<01 or 00>"`, which browser agents read.
    ///
    /// No specification defines it. Splunk's agent, which introduced it, accepts only the flags `01`, so the flags are
    /// `01` for sampled and `00` for not sampled, without the random flag.
    ServerTimingTraceparent,
    /// A header with this name; its value is the trace id as 32 hexadecimal digits.
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
            // One value, because not every carrier can append a second header.
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
