//! The tracer.

use std::time::Duration;

use opentracing_http::report::Diagnostics;
use opentracing_http::report::{Drops, Reporter};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{ConfigError, FinishedSpan, Flushed, Tracer};

use crate::builder::OtlpTracerBuilder;

/// Sends spans to a collector with OTLP, over HTTP or gRPC.
///
/// Its own thread encodes and sends them. Requests never wait for the collector: while it is down, stalled or cannot be
/// found, spans wait in a bounded queue, and a batch is retried for about half a minute. Spans for which there is no
/// room, or that are not accepted, are dropped and [counted](Self::drops). Clones are handles to the same tracer. When
/// an [`HttpTracing`](opentracing_http::HttpTracing) is dropped, its tracer delivers the queued spans within five
/// seconds, unless a flush has just timed out; [`shutdown`](Self::shutdown) takes another time. All functions can be
/// called inside and outside of an async runtime.
///
/// A span counts as delivered when the collector has confirmed it. If a confirmation is lost, the span is sent again,
/// and the collector may receive it twice. Dropped spans are reported to the policy's
/// [diagnostics](opentracing_http::HttpTracingBuilder::on_diagnostic), by default to the `log` crate.
///
/// ```no_run
/// use std::time::Duration;
///
/// use opentracing_http::HttpTracing;
/// use opentracing_otlp::OtlpTracer;
///
/// let tracer = OtlpTracer::new("checkout")?;
/// let tracing = HttpTracing::new(tracer.clone());
/// tracing.span("work").start().finish();
///
/// // After the server's graceful shutdown:
/// let flushed = tracer.shutdown(Duration::from_secs(5));
/// println!("{flushed}: {} spans confirmed, dropped: {}", tracer.delivered(), tracer.drops());
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct OtlpTracer {
    pub(crate) reporter: Reporter,
}

impl OtlpTracer {
    /// Creates a tracer that sends spans of this service to the collector at `http://localhost:4318`, over HTTP.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is empty, the feature `http` is not enabled, or the thread cannot be started.
    pub fn new(service_name: impl Into<String>) -> Result<Self, ConfigError> {
        Self::builder(service_name).build()
    }

    /// Creates a builder with the defaults; see [`OtlpTracerBuilder`] for an example.
    pub fn builder(service_name: impl Into<String>) -> OtlpTracerBuilder {
        OtlpTracerBuilder::new(service_name.into())
    }

    /// Creates a tracer from the variables of [`OtlpTracerBuilder::env`], of which `OTEL_SERVICE_NAME` or
    /// `service.name` in `OTEL_RESOURCE_ATTRIBUTES` has to be set.
    ///
    /// # Errors
    ///
    /// Returns an error that names the variable and the remedy if a value cannot be used or the service has no name.
    ///
    /// ```
    /// use opentracing_http::{ConfigError, HttpTracing};
    /// use opentracing_otlp::OtlpTracer;
    ///
    /// fn tracing() -> Result<HttpTracing, ConfigError> {
    ///     HttpTracing::builder(OtlpTracer::from_env()?).env().build()
    /// }
    /// ```
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_env_with(opentracing_http::env::var)
    }

    /// Creates a tracer as [`from_env`](Self::from_env) does, from variables of another source than the process'
    /// environment.
    ///
    /// # Errors
    ///
    /// The same as those of [`from_env`](Self::from_env).
    ///
    /// ```
    /// use opentracing_otlp::OtlpTracer;
    ///
    /// let error = OtlpTracer::from_env_with(|_| None).unwrap_err();
    /// assert_eq!(error.option(), "OTEL_SERVICE_NAME");
    /// ```
    pub fn from_env_with(source: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::builder("").env_with(source).build()
    }

    /// Returns how many spans were dropped so far, by reason.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.reporter.drops()
    }

    /// Returns how many spans the collector has confirmed so far.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.reporter.delivered()
    }

    /// Ends the tracer for all its handles: delivers the queued spans. Spans that are not sent within `timeout`, and
    /// spans that are reported later, are dropped and counted.
    ///
    /// It blocks the calling thread for at most `timeout`.
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
