//! The cases of the server contract, each a plain function. [`for_each_server_case`](crate::for_each_server_case) lists
//! them.

mod active_span;
mod names_and_tags;
mod outcomes;
mod trace_context;

use opentracing_http::FinishedSpan;

use crate::client::Response;

// All that is in there: the list of the cases is the macro's, and a second one here would drift.
pub use self::active_span::*;
pub use self::names_and_tags::*;
pub use self::outcomes::*;
pub use self::trace_context::*;

pub(super) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(super) const PARENT: &str = "00f067aa0ba902b7";
pub(super) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(super) const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

pub(super) fn parent(span: &FinishedSpan) -> Option<String> {
    span.parent_id().map(|id| id.to_string())
}

pub(super) fn trace(span: &FinishedSpan) -> String {
    span.context().trace_id().to_string()
}

/// A header that the handler's span injected.
pub(super) fn injected(response: &Response, name: &str) -> Option<String> {
    let text = response.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.map(str::to_owned)
}

/// The `traceparent` that a span injects.
pub(super) fn traceparent(span: &FinishedSpan) -> String {
    format!(
        "00-{}-{}-{:02x}",
        trace(span),
        span.context().span_id(),
        span.context().flags().w3c_bits()
    )
}
