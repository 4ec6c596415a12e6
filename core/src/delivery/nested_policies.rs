//! Mount points of different policies around one request.

use std::fmt;

/// A mount point that found a request which a mount point of another policy had begun. The request has one span, in the outer
/// policy: the tracer of the inner policy does not get it, and the inner policy's options and callbacks have no effect on it.
///
/// If the outer policy has no [other mount point](crate::server::Instrumentation::mounted), requests are not marked, the inner
/// mount point takes them for requests of their own, and both policies record them. That is not reported.
///
/// The inner policy reports its first such request as [`Diagnostic::NestedPolicies`](crate::Diagnostic::NestedPolicies).
///
/// Build one policy and mount its clones. To send spans to two tracers, build it with a [`FanOut`](crate::FanOut):
///
/// ```
/// use opentracing_http::server::Instrumentation;
/// use opentracing_http::{FanOut, HttpTracing, InMemoryTracer};
///
/// let (ours, theirs) = (InMemoryTracer::new(), InMemoryTracer::new());
/// let tracing = HttpTracing::new(FanOut::new().and(ours.clone()).and(theirs.clone()));
/// let outer = Instrumentation::new(&tracing, "my-framework");
/// let inner = Instrumentation::new(&tracing, "my-framework"); // the same policy
/// # drop((outer, inner));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NestedPolicies {
    /// The framework of the inner mount point, as in the tag `component`.
    pub component: &'static str,
}

impl NestedPolicies {
    pub(crate) const fn new(component: &'static str) -> Self {
        Self { component }
    }
}

impl fmt::Display for NestedPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a mount point ({}) of this policy is within a mount point of another `HttpTracing`, which records the request \
             alone: this policy's tracer does not get it. Build one `HttpTracing` and mount its clones; for two tracers build it \
             with a `FanOut`",
            self.component
        )
    }
}
