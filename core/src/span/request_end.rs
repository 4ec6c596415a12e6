//! The end of a request, as finish callbacks receive it.

use std::time::Duration;

use crate::http::{Outcome, Route};
use crate::span::handle::Span;

/// The end of a request, as callbacks of [`on_finish`](crate::HttpTracingBuilder::on_finish) receive it. The span is still open:
/// tags that a callback sets are kept.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new())
///     .on_finish(|end| {
///         if end.duration.as_secs() > 1 {
///             end.span.set_tag("slow", true);
///         }
///     })
///     .build()?;
/// # drop(tracing);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestEnd<'a> {
    /// The request's span, also if it is not recorded.
    pub span: &'a Span,
    /// The method. `_OTHER` if it is not a known one, so that it can be the label of a metric.
    pub method: &'a str,
    /// The route, as far as the framework reported it.
    pub route: Route<'a>,
    /// The response's status, if there was a response.
    pub status: Option<u16>,
    /// How the request ended.
    pub outcome: Outcome,
    /// Whether the request failed, by the policy's [rule](crate::HttpTracingBuilder::failure_when) for statuses.
    pub is_failure: bool,
    /// The time from the start to the end.
    pub duration: Duration,
    /// The time from the start to the response head, if there was a response.
    pub time_to_head: Option<Duration>,
    /// The number of bytes of the body that were handed to the server. A request that is not recorded ends with its response head
    /// if the size of the body is known, unless the status of a gRPC call is still to come; then this is that size.
    pub body_bytes: u64,
    /// The full name of the method that a gRPC request called, `package.Service/Method`; `None` for any other request. `_OTHER` if
    /// the service did not prove to have it, so that it can be the label of a metric.
    pub rpc_method: Option<&'a str>,
    /// The status of a gRPC call, such as `OK` or `NOT_FOUND`, if there was one.
    pub rpc_status: Option<&'static str>,
}
