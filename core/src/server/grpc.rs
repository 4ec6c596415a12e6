//! Reads the status of a gRPC call from the response's head or its trailers.

use crate::http::{BodySize, GrpcStatus, ResponseView, grpc_message, is_grpc};
use crate::propagation::HeaderView;
use crate::server::guarded::GuardedHeaders;
use crate::span::{Policy, SpanCell};

/// Reads the head of the response to a gRPC request. Returns `true` if the status is still to come, in the trailers.
pub(super) fn read_head(cell: &SpanCell, policy: &Policy, response: &dyn ResponseView) -> bool {
    let headers = GuardedHeaders::of(policy, || response.headers());
    if !is_grpc(&headers) {
        return false;
    }
    let body = policy.guard(|| response.body_size());
    read_status(cell, policy, &headers, body == Some(BodySize::Empty))
}

/// Reads the trailers of a gRPC response whose head had no status.
pub(super) fn read_trailers(cell: &SpanCell, policy: &Policy, trailers: &dyn HeaderView) {
    read_status(cell, policy, trailers, true);
}

/// Reads the status, and the message of a failure. `is_end` is `true` if nothing of the response follows. Returns `true` if the
/// status is not known yet.
fn read_status(cell: &SpanCell, policy: &Policy, headers: &dyn HeaderView, is_end: bool) -> bool {
    // Read while the span is not locked, because the view of the headers is foreign code.
    let status = GrpcStatus::read(headers);
    let failure = status.filter(|status| status.is_failure() && cell.is_recorded());
    let message = failure.and_then(|_| grpc_message(headers, policy.limits.value_bytes));
    let lacks_status = cell.change_facts(|http| {
        http.grpc.respond(status);
        if is_end {
            http.grpc.end_body();
        }
        if http.error.is_none()
            && let Some(message) = message
        {
            http.set_error(message);
        }
        Some(http.grpc.lacks_status())
    });
    lacks_status.unwrap_or_default()
}
