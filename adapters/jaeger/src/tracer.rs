//! The tracer.

use std::time::Duration;

use opentracing_http::report::Diagnostics;
use opentracing_http::report::{Drops, Reporter};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{ConfigError, FinishedSpan, Flushed, Tracer};

use crate::builder::JaegerTracerBuilder;

/// Sends spans to a Jaeger agent, or to any collector that takes Jaeger's compact Thrift over UDP.
///
/// A thread of its own builds and sends the packets. What happens to the agent never reaches a request: while it is away,
/// stalled or unknown spans wait in a bounded queue, a batch is tried for about a second, and what finds no place or no
/// listener is dropped and [counted](Self::drops). Cloning gives another handle. An
/// [`HttpTracing`](opentracing_http::HttpTracing) that is dropped has its tracer deliver what is queued, within five
/// seconds, unless a flush has just waited in vain; [`shutdown`](Self::shutdown) does so within another time.
///
/// UDP has no receipts. A packet counts as dropped if it could not be sent, or if its host said at once that nobody
/// listens; one that is lost on the way, or in a receiver that is too slow, is lost without a sign. What is dropped is told
/// to the policy's [diagnostics](opentracing_http::HttpTracingBuilder::on_diagnostic), by default the `log` crate.
///
/// ```
/// use opentracing_http::HttpTracing;
/// use opentracing_jaeger::JaegerTracer;
///
/// let tracing = HttpTracing::new(JaegerTracer::new("checkout")?);
/// # let _ = tracing;
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct JaegerTracer {
    pub(crate) reporter: Reporter,
}

impl JaegerTracer {
    /// Sends spans of this service to the agent at `127.0.0.1:6831`.
    ///
    /// # Errors
    ///
    /// If the name is empty, or the thread cannot be started.
    pub fn new(service_name: impl Into<String>) -> Result<Self, ConfigError> {
        Self::builder(service_name).build()
    }

    /// Starts from the defaults and changes some.
    pub fn builder(service_name: impl Into<String>) -> JaegerTracerBuilder {
        JaegerTracerBuilder::new(service_name.into())
    }

    /// Takes everything from the usual variables, of which `JAEGER_SERVICE_NAME` or `OTEL_SERVICE_NAME` has to be set; see
    /// [`JaegerTracerBuilder::env`].
    ///
    /// # Errors
    ///
    /// If a variable's value cannot be used, or the service has no name; the error names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_env_with(opentracing_http::env::var)
    }

    /// The same, with variables that come from elsewhere than the process' environment.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_env_with(source: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::builder("").env_with(source).build()
    }

    /// How many spans were dropped so far, by reason.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.reporter.drops()
    }

    /// How many spans were sent so far, as far as this host can tell.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.reporter.delivered()
    }

    /// Ends the tracer for all its handles: delivers what is queued. What is not sent within `timeout` is dropped and
    /// counted, and so is what is reported from now on.
    ///
    /// Blocks the calling thread for at most that time.
    #[allow(
        clippy::must_use_candidate,
        reason = "a process that is about to exit can do nothing with the result"
    )]
    pub fn shutdown(&self, timeout: Duration) -> Flushed {
        self.reporter.shutdown(timeout)
    }
}

impl Tracer for JaegerTracer {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        self.reporter.sample(request)
    }

    fn report(&self, span: FinishedSpan) {
        self.reporter.report(span);
    }

    fn flush(&self, timeout: Duration) -> Flushed {
        self.reporter.flush(timeout)
    }

    fn end(&self, timeout: Duration) -> Flushed {
        self.reporter.end(timeout)
    }

    fn attach(&self, diagnostics: &Diagnostics) {
        self.reporter.attach(diagnostics);
    }

    fn dropped(&self) -> u64 {
        self.reporter.dropped()
    }
}
