//! The tracer.

use std::time::Duration;

use opentracing_http::report::Diagnostics;
use opentracing_http::report::{Drops, Reporter};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{ConfigError, FinishedSpan, Flushed, Tracer};

use crate::builder::OtlpTracerBuilder;

/// Sends spans to a collector by OTLP, over HTTP or gRPC.
///
/// A thread of its own encodes and sends them. What happens to the collector never reaches a request: while it is away,
/// stalled or unknown spans wait in a bounded queue, a batch is tried for about half a minute, and what finds no room or is
/// not taken is dropped and [counted](Self::drops). Cloning gives another handle. An
/// [`HttpTracing`](opentracing_http::HttpTracing) that is dropped has its tracer deliver what is queued, within five
/// seconds, unless a flush has just waited in vain; [`shutdown`](Self::shutdown) does so within another time. All of them can
/// be called from anywhere, within a runtime or outside.
///
/// A span counts as delivered once the collector has confirmed it. One whose confirmation is lost on the way back is sent
/// again, so that a collector may get it twice. Dropped spans are reported to the policy's
/// [diagnostics](opentracing_http::HttpTracingBuilder::on_diagnostic), by default the `log` crate.
///
/// ```
/// use opentracing_http::HttpTracing;
/// use opentracing_otlp::OtlpTracer;
///
/// let tracing = HttpTracing::new(OtlpTracer::new("checkout")?);
/// # let _ = tracing;
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct OtlpTracer {
    pub(crate) reporter: Reporter,
}

impl OtlpTracer {
    /// Sends spans of this service to the collector at `http://localhost:4318`, over HTTP.
    ///
    /// # Errors
    ///
    /// If the name is empty, the feature `http` is off, or the thread cannot be started.
    pub fn new(service_name: impl Into<String>) -> Result<Self, ConfigError> {
        Self::builder(service_name).build()
    }

    /// Starts from the defaults and changes some.
    pub fn builder(service_name: impl Into<String>) -> OtlpTracerBuilder {
        OtlpTracerBuilder::new(service_name.into())
    }

    /// Takes everything from the variables of OpenTelemetry's specification, of which `OTEL_SERVICE_NAME` has to be set, or
    /// `service.name` in `OTEL_RESOURCE_ATTRIBUTES`; see [`OtlpTracerBuilder::env`].
    ///
    /// # Errors
    ///
    /// If a variable's value cannot be used, or the service has no name; the error names the variable and the remedy.
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

    /// How many spans the collector has confirmed so far.
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

impl Tracer for OtlpTracer {
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
