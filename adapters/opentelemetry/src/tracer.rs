//! The tracer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_sdk::trace::{SpanExporter, SpanProcessor};
use opentracing_http::report::Diagnostics;
use opentracing_http::report::{Drops, Reporter};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::{ConfigError, FinishedSpan, Flushed, Tracer};

use crate::builder::OpenTelemetryTracerBuilder;
use crate::sink::Sink;

/// Passes spans to a [`SpanExporter`] or a [`SpanProcessor`] of OpenTelemetry's SDK.
///
/// Spans wait in a bounded queue for one thread, which converts them to the SDK's `SpanData` and calls the exporter or
/// processor. None of this happens on a request's thread, and requests never wait for the backend. Clones are handles
/// to the same tracer. When an [`HttpTracing`](opentracing_http::HttpTracing) is dropped, its tracer delivers the
/// queued spans within five seconds, unless a flush has just timed out; [`shutdown`](Self::shutdown) takes another
/// time.
///
/// ```
/// use opentelemetry_sdk::trace::SpanExporter;
/// use opentracing_http::{ConfigError, HttpTracing};
/// use opentracing_opentelemetry::{OpenTelemetryScopes, OpenTelemetryTracer};
///
/// fn tracing(exporter: impl SpanExporter + 'static) -> Result<HttpTracing, ConfigError> {
///     HttpTracing::builder(OpenTelemetryTracer::of_exporter(exporter)?)
///         .scope_hook(OpenTelemetryScopes::new())
///         .build()
/// }
///
/// fn end(tracer: &OpenTelemetryTracer) {
///     let flushed = tracer.shutdown(std::time::Duration::from_secs(5));
///     println!("{flushed}: {} spans delivered, dropped: {}", tracer.delivered(), tracer.drops());
/// }
/// ```
#[derive(Debug, Clone)]
pub struct OpenTelemetryTracer {
    reporter: Reporter,
    /// The reporter's thread owns and drops it: a blocking client must not be dropped by a task.
    sink: Weak<Sink>,
    /// How many spans had been delivered when the exporter or processor was flushed last.
    flushed: Arc<AtomicU64>,
}

impl OpenTelemetryTracer {
    /// Creates a tracer that sends spans with this exporter, with the default options; see
    /// [`OpenTelemetryTracerBuilder::of_exporter`].
    ///
    /// # Errors
    ///
    /// Returns an error if a thread cannot be started.
    pub fn of_exporter(exporter: impl SpanExporter + 'static) -> Result<Self, ConfigError> {
        Self::builder().of_exporter(exporter)
    }

    /// Creates a tracer that passes spans to this processor, with the default options; see
    /// [`OpenTelemetryTracerBuilder::of_processor`] for an example.
    ///
    /// # Errors
    ///
    /// Returns an error if a thread cannot be started.
    pub fn of_processor(processor: impl SpanProcessor + 'static) -> Result<Self, ConfigError> {
        Self::builder().of_processor(processor)
    }

    /// Creates a builder with the defaults; see [`OpenTelemetryTracerBuilder`] for an example.
    pub fn builder() -> OpenTelemetryTracerBuilder {
        OpenTelemetryTracerBuilder::default()
    }

    pub(crate) fn new(reporter: Reporter, sink: Weak<Sink>) -> Self {
        Self {
            reporter,
            sink,
            flushed: Arc::default(),
        }
    }

    /// Returns how many spans were dropped so far, by reason. Spans that a processor drops after taking them are not
    /// counted.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.reporter.drops()
    }

    /// Returns how many spans were delivered so far: those for which the exporter returned success, or which the
    /// processor has taken.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.reporter.delivered()
    }

    /// Ends the tracer for all its handles: delivers the queued spans, and shuts the exporter or processor down. Spans
    /// that are not delivered within `timeout`, and spans that are reported later, are dropped and counted.
    ///
    /// It blocks the calling thread for at most `timeout`.
    #[allow(
        clippy::must_use_candidate,
        reason = "a process that is about to exit can do nothing with the result"
    )]
    pub fn shutdown(&self, timeout: Duration) -> Flushed {
        self.reporter.shutdown(timeout)
    }

    /// Flushes the exporter or processor after the queue, in the remaining time.
    fn force_flush(&self, flushed: Flushed, left: Duration) -> Flushed {
        let delivered = self.reporter.delivered();
        if flushed.timed_out() || delivered == self.flushed.load(Ordering::Relaxed) {
            return flushed;
        }
        let Some(sink) = self.sink.upgrade() else {
            return flushed;
        };
        // It has no time limit, so it runs on a thread that can be abandoned.
        let (done, is_done) = channel();
        let spawned = thread::Builder::new()
            .name("otel-flush".to_owned())
            .spawn(move || {
                let result = sink.call(|receiver| receiver.force_flush());
                drop(sink);
                let _ = done.send(result.is_ok());
            });
        if spawned.is_ok() && is_done.recv_timeout(left) == Ok(true) {
            self.flushed.fetch_max(delivered, Ordering::Relaxed);
            return flushed;
        }
        flushed.with_time_out()
    }
}

impl Tracer for OpenTelemetryTracer {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        self.reporter.sample(request)
    }

    fn report(&self, span: FinishedSpan) {
        self.reporter.report(span);
    }

    /// Delivers all spans that have been reported so far, then calls `force_flush` of the exporter or processor. An
    /// error of that counts as a time-out.
    fn flush(&self, timeout: Duration) -> Flushed {
        let began = Instant::now();
        let flushed = self.reporter.flush(timeout);
        self.force_flush(flushed, timeout.saturating_sub(began.elapsed()))
    }

    fn end(&self, timeout: Duration) -> Flushed {
        let began = Instant::now();
        let flushed = self.reporter.end(timeout);
        self.force_flush(flushed, timeout.saturating_sub(began.elapsed()))
    }

    fn attach(&self, diagnostics: &Diagnostics) {
        self.reporter.attach(diagnostics);
    }

    fn dropped(&self) -> u64 {
        self.reporter.dropped()
    }
}
