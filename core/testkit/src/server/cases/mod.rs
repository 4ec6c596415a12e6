//! The cases of the server contract, each a plain function. [`CASES`](crate::server::CASES) lists them.

mod active_span;
mod attributes;
mod beyond_the_request;
mod bodies;
mod callbacks;
mod connections;
mod event_streams;
mod failures;
mod http2;
mod middleware;
mod mount_points;
mod names;
mod not_recorded;
mod open_telemetry;
mod open_tracing;
mod outcomes;
mod outgoing;
mod same_response;
mod scopes;
mod sizes_and_parameters;
mod trace_context;
mod trust;

use std::fmt::Debug;
use std::future::Future;

use opentracing_http::{FinishedSpan, Outcome, Span, Value};

use crate::app::{Gate, Playing, Reply, turn};
use crate::client::Response;
use crate::server::{Feature, Kit, Server};

// All that is in there: the list of the cases is the macro's, and a second one here would drift.
pub use self::active_span::*;
pub use self::attributes::*;
pub use self::beyond_the_request::*;
pub use self::bodies::*;
pub use self::callbacks::*;
pub use self::connections::*;
pub use self::event_streams::*;
pub use self::failures::*;
pub use self::http2::*;
pub use self::middleware::*;
pub use self::mount_points::*;
pub use self::names::*;
pub use self::not_recorded::*;
pub use self::open_telemetry::*;
pub use self::open_tracing::*;
pub use self::outcomes::*;
pub use self::outgoing::*;
pub use self::same_response::*;
pub use self::scopes::*;
pub use self::sizes_and_parameters::*;
pub use self::trace_context::*;
pub use self::trust::*;

pub(crate) use self::bodies::{gated, with_trailer};
pub(crate) use self::outgoing::call;
pub(crate) use self::same_response::sized;
pub(crate) use self::trust::DEBUG;

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const PARENT: &str = "00f067aa0ba902b7";
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(crate) const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// What [`in_chunks`] sends.
pub(crate) const CHUNKS: [&str; 3] = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];

/// The span that each chunk of [`in_chunks`] starts.
pub(crate) const CHUNK: &str = "chunk";

/// Takes the span of a request that no route has matched, where it has one. Elsewhere the kit finds at its end that none is left.
fn span_of_unmatched<S: Server>(kit: &Kit<S>) -> Option<FinishedSpan> {
    let has_span = S::CAPABILITIES.has(Feature::UnmatchedRequests);
    has_span.then(|| kit.span())
}

pub(crate) fn parent(span: &FinishedSpan) -> Option<String> {
    span.parent_id().map(|id| id.to_string())
}

pub(crate) fn trace(span: &FinishedSpan) -> String {
    span.context().trace_id().to_string()
}

/// How the request ended, and with which status.
pub(crate) fn outcome(span: &FinishedSpan) -> (Outcome, Option<u16>) {
    let http = span.http().expect("a request's span");
    (http.outcome(), http.status())
}

/// The text of a tag.
pub(crate) fn text(span: &FinishedSpan, key: &str) -> Option<String> {
    span.tag(key).map(|value| value.to_string())
}

pub(crate) fn assert_tags<V: Into<Value> + Clone>(span: &FinishedSpan, tags: &[(&str, V)]) {
    for (key, value) in tags {
        assert_eq!(span.tag(key), Some(value.clone().into()), "{key}: {span:?}");
    }
}

pub(crate) fn assert_no_tags(span: &FinishedSpan, keys: &[&str]) {
    for key in keys {
        assert_eq!(span.tag(key), None, "{key}: {span:?}");
    }
}

/// The protocol's version as a tag has it.
pub(crate) fn version<S: Server>(version: &str) -> Option<String> {
    let known = S::CAPABILITIES.has(Feature::ProtocolVersion);
    known.then(|| version.to_owned())
}

/// What a tag of the connection's other end has.
pub(crate) fn peer<S: Server>(value: &(impl ToString + ?Sized)) -> Option<String> {
    let known = S::CAPABILITIES.has(Feature::Peer);
    known.then(|| value.to_string())
}

/// A header that the handler's span injected.
pub(crate) fn injected(response: &Response, name: &str) -> Option<String> {
    let text = response.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.map(str::to_owned)
}

/// Asserts that the handler's span injected these headers.
#[track_caller]
pub(crate) fn assert_injected(response: &Response, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        assert_eq!(injected(response, name).as_deref(), Some(*value), "{name}");
    }
}

/// Asserts how a header that the handler's span injected ends: with the decision. `request` is what was sent.
#[track_caller]
pub(crate) fn assert_decision(
    response: &Response,
    (header, decision): (&str, &str),
    request: impl Debug,
) {
    let sent = injected(response, header).expect("a context goes on");
    assert!(sent.ends_with(decision), "{request:?}: {sent}");
}

/// Asserts that the chunks of [`in_chunks`] were made below a request's span.
#[track_caller]
pub(crate) fn assert_chunks_below(request: &FinishedSpan, chunks: &[FinishedSpan]) {
    for chunk in chunks {
        assert_eq!(
            (chunk.name(), chunk.parent_id()),
            (CHUNK, Some(request.context().span_id()))
        );
    }
}

/// Returns how many requests are served at once: as many as this, or eight.
pub(crate) fn at_once<S: Server>(many: usize) -> usize {
    match S::CAPABILITIES.has(Feature::ManyAtOnce) {
        true => many,
        false => 8,
    }
}

/// Asserts that the handler's current span was the request's.
#[track_caller]
pub(crate) fn assert_current(response: &Response, span: &FinishedSpan) {
    let (sent, ours) = (injected(response, "traceparent"), traceparent(span));
    assert!(
        sent.as_deref() == Some(&*ours),
        "the handler's current span is the request's, which injects {ours}; the response was {:?}",
        response.text()
    );
}

/// Asserts that so many requests were recorded, each in a trace of its own.
#[track_caller]
pub(crate) fn assert_own_traces<S: Server>(kit: &Kit<S>, requests: usize) {
    let mut traces: Vec<_> = kit.spans(requests).iter().map(trace).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), requests);
}

/// The `traceparent` that a span injects.
pub(crate) fn traceparent(span: &FinishedSpan) -> String {
    format!(
        "00-{}-{}-{:02x}",
        trace(span),
        span.context().span_id(),
        span.context().flags().w3c_bits()
    )
}

/// A handler whose response has the status that the query names, and an empty body.
pub(crate) fn with_status(query: &str) -> impl Future<Output = Reply> + Send + use<> {
    let status = query.parse().unwrap_or(200);
    async move { Reply::status(status) }
}

/// A handler that waits for the gate, then returns.
pub(crate) fn waiting(gate: &Gate) -> impl Fn(&str) -> Playing + Send + Sync + use<> {
    let gate = gate.clone();
    move |_| {
        let gate = gate.clone();
        Box::pin(async move {
            gate.wait().await;
            Reply::text("waited")
        })
    }
}

/// A handler that streams [`CHUNKS`], each after the executor had its turn, and in a child span of its own.
pub(crate) fn in_chunks(_query: &str) -> impl Future<Output = Reply> + Send + use<> {
    async { Reply::stream(chunk) }
}

pub(crate) async fn chunk(number: usize) -> Option<crate::app::Chunk> {
    turn().await;
    let chunk = CHUNKS.get(number)?;
    Span::current().child(CHUNK).finish();
    Some(Ok(chunk.as_bytes().to_vec()))
}

/// A handler that streams the first of [`CHUNKS`], and once the gate is open more without end. The rest comes in chunks as large
/// as a frame: an HTTP/2 client takes thousands of small ones, sent before the server learns of a reset, for an attack.
pub(crate) fn endless(gate: &Gate) -> impl Fn(&str) -> Playing + Send + Sync + use<> {
    let gate = gate.clone();
    move |_| {
        let gate = gate.clone();
        Box::pin(async move {
            Reply::stream(move |number| {
                let gate = gate.clone();
                async move {
                    if number == 0 {
                        return Some(Ok(CHUNKS[0].as_bytes().to_vec()));
                    }
                    gate.wait().await;
                    turn().await;
                    Some(Ok(vec![b'x'; 16 * 1024]))
                }
            })
        })
    }
}
