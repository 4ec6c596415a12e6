//! What finish callbacks see.

use std::time::Duration;

use crate::http::{Outcome, Route};
use crate::span::handle::Span;

/// A request's end, as finish callbacks see it. The span is still open: tags set now are kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestEnd<'a> {
    /// The request's span, also where it is not recorded.
    pub span: &'a Span,
    /// The method, `_OTHER` if it is no known one, so that it can be a metric's label.
    pub method: &'static str,
    /// The route, as far as the framework told.
    pub route: Route<'a>,
    /// The response's status, if there was a response.
    pub status: Option<u16>,
    /// How the request ended.
    pub outcome: Outcome,
    /// From the start to the end.
    pub duration: Duration,
    /// From the start to the response head.
    pub time_to_head: Option<Duration>,
    /// How many bytes of the body were handed to the server by then. A request that is not recorded ends with its response
    /// head if the size of its body is known, which is what stands here.
    pub body_bytes: u64,
}
