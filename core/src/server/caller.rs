//! The trace id to the caller.

use std::fmt::Write as _;

use http::HeaderName;

use crate::carrier::Carrier;
use crate::context::SpanContext;

/// The response header that tells the caller the trace id; none unless asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceIdHeader {
    /// `traceresponse: 00-<trace id>-<span id>-<flags>` (W3C Trace Context level 2, section 4).
    TraceResponse,
    /// `Server-Timing: traceparent;desc="00-…"`, which browsers show and scripts can read; beside other entries.
    ServerTiming,
    /// A header of this name with the trace id as 32 hexadecimal digits.
    Named(HeaderName),
}

impl TraceIdHeader {
    pub(crate) fn write(&self, context: &SpanContext, headers: &mut dyn Carrier) {
        let mut ids = String::with_capacity(64);
        let written = write!(
            ids,
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.flags().w3c_bits()
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        match self {
            Self::TraceResponse => headers.set("traceresponse", &ids),
            Self::ServerTiming => {
                headers.append("server-timing", &format!("traceparent;desc=\"{ids}\""))
            }
            Self::Named(name) => headers.set(name.as_str(), &context.trace_id().to_string()),
        }
    }
}
