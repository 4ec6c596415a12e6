//! The tracer.

use std::time::Duration;

use opentracing_http::report::Diagnostics;
use opentracing_http::report::{Drops, Reporter};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{ConfigError, FinishedSpan, Flushed, Tracer};

use crate::builder::JaegerTracerBuilder;

/// Sends spans to a Jaeger agent, or to any collector that accepts Jaeger's compact Thrift over UDP.
///
/// Its own thread builds and sends the packets. Requests never wait for the agent: while it is down, stalled or cannot
/// be found, spans wait in a bounded queue, and a batch is retried for about a second. Spans for which there is no
/// room, or that are not accepted, are dropped and [counted](Self::drops). Clones are handles to the same tracer. When
/// an [`HttpTracing`](opentracing_http::HttpTracing) is dropped, its tracer delivers the queued spans within five
/// seconds, unless a flush has just timed out; [`shutdown`](Self::shutdown) takes another time.
///
/// UDP has no receipts. A packet counts as dropped if it could not be sent, or if its host reported at once that
/// nothing listens. A packet that is lost on the way or in a slow receiver is not noticed. Dropped spans are reported
/// to the policy's [diagnostics](opentracing_http::HttpTracingBuilder::on_diagnostic), by default to the `log` crate.
///
/// ```no_run
/// use std::time::Duration;
///
/// use opentracing_http::HttpTracing;
/// use opentracing_jaeger::JaegerTracer;
///
/// let tracer = JaegerTracer::new("checkout")?;
/// let tracing = HttpTracing::new(tracer.clone());
/// tracing.span("work").start().finish();
///
/// // After the server's graceful shutdown:
/// let flushed = tracer.shutdown(Duration::from_secs(5));
/// println!("{flushed}: {} spans sent, dropped: {}", tracer.delivered(), tracer.drops());
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct JaegerTracer {
    pub(crate) reporter: Reporter,
}

impl JaegerTracer {
    /// Creates a tracer that sends spans of this service to the agent at `127.0.0.1:6831`.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is empty or the thread cannot be started.
    pub fn new(service_name: impl Into<String>) -> Result<Self, ConfigError> {
        Self::builder(service_name).build()
    }

    /// Creates a builder with the defaults; see [`JaegerTracerBuilder`] for an example.
    pub fn builder(service_name: impl Into<String>) -> JaegerTracerBuilder {
        JaegerTracerBuilder::new(service_name.into())
    }

    /// Creates a tracer from the variables of [`JaegerTracerBuilder::env`], of which `JAEGER_SERVICE_NAME` or
    /// `OTEL_SERVICE_NAME` has to be set.
    ///
    /// # Errors
    ///
    /// Returns an error that names the variable if a value cannot be used or the service has no name.
    ///
    /// ```
    /// use opentracing_http::{ConfigError, HttpTracing};
    /// use opentracing_jaeger::JaegerTracer;
    ///
    /// fn tracing() -> Result<HttpTracing, ConfigError> {
    ///     HttpTracing::builder(JaegerTracer::from_env()?).env().build()
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
    /// use opentracing_jaeger::JaegerTracer;
    ///
    /// let error = JaegerTracer::from_env_with(|_| None).unwrap_err();
    /// assert_eq!(error.option(), "JAEGER_SERVICE_NAME");
    /// ```
    pub fn from_env_with(source: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::builder("").env_with(source).build()
    }

    /// Returns how many spans were dropped so far, by reason.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.reporter.drops()
    }

    /// Returns how many spans were sent so far, as far as this host knows.
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
