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

/// Hands spans to a [`SpanExporter`] or a [`SpanProcessor`] of OpenTelemetry's SDK.
///
/// Spans wait in a bounded queue for one thread, which converts them to the SDK's `SpanData` and calls the exporter or
/// processor. Nothing of that happens on a request's thread, and what becomes of the backend never reaches a request. Cloning
/// gives another handle. An [`HttpTracing`](opentracing_http::HttpTracing) that is dropped has its tracer deliver what is
/// queued, within five seconds, unless a flush has just waited in vain; [`shutdown`](Self::shutdown) does so within another
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
/// ```
#[derive(Debug, Clone)]
pub struct OpenTelemetryTracer {
    reporter: Reporter,
    /// The reporter's thread owns it, and drops it: a blocking client must not be dropped by a task.
    sink: Weak<Sink>,
    /// How many spans had been delivered when the exporter or processor was last flushed.
    flushed: Arc<AtomicU64>,
}

impl OpenTelemetryTracer {
    /// Sends spans with this exporter, with the defaults; see [`OpenTelemetryTracerBuilder::of_exporter`].
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub fn of_exporter(exporter: impl SpanExporter + 'static) -> Result<Self, ConfigError> {
        Self::builder().of_exporter(exporter)
    }

    /// Hands spans to this processor, with the defaults; see [`OpenTelemetryTracerBuilder::of_processor`].
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub fn of_processor(processor: impl SpanProcessor + 'static) -> Result<Self, ConfigError> {
        Self::builder().of_processor(processor)
    }

    /// Starts from the defaults and changes some.
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

    /// Returns how many spans were dropped so far, by reason. What a processor drops after it has taken it is not counted.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.reporter.drops()
    }

    /// Returns how many spans were delivered so far: those for which the exporter returned success, or which the processor has
    /// taken.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.reporter.delivered()
    }

    /// Ends the tracer for all its handles: delivers what is queued, and shuts the exporter or processor down. What is not
    /// delivered within `timeout` is dropped and counted, and so is what is reported from now on.
    ///
    /// Blocks the calling thread for at most that time.
    #[allow(
        clippy::must_use_candidate,
        reason = "a process that is about to exit can do nothing with the result"
    )]
    pub fn shutdown(&self, timeout: Duration) -> Flushed {
        self.reporter.shutdown(timeout)
    }

    /// Flushes the exporter or processor after the queue, in what is left of the time.
    fn force_flush(&self, flushed: Flushed, left: Duration) -> Flushed {
        let delivered = self.reporter.delivered();
        if flushed.timed_out() || delivered == self.flushed.load(Ordering::Relaxed) {
            return flushed;
        }
        let Some(sink) = self.sink.upgrade() else {
            return flushed;
        };
        // It takes no time limit, so it gets a thread that can be left behind.
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

    /// Delivers what has been reported so far, then calls the exporter's or the processor's own `force_flush`. An error of that
    /// counts as a time that was not enough.
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
