//! The options of the tracer.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanExporter, SpanProcessor};
use opentracing_http::ConfigError;
use opentracing_http::report::{ExportError, Reporter, ReporterBuilder};
use opentracing_http::sampler::Sampler;

use crate::runtime::Runtime;
use crate::sink::{Receive, Sink, SinkExporter, ToExporter, ToProcessor};
use crate::tracer::OpenTelemetryTracer;

/// The default of the SDK's batch processor (`OTEL_BSP_EXPORT_TIMEOUT`).
const EXPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// The builder of an [`OpenTelemetryTracer`].
///
/// ```
/// use std::time::Duration;
///
/// use opentelemetry_sdk::trace::SpanExporter;
/// use opentracing_http::ConfigError;
/// use opentracing_opentelemetry::OpenTelemetryTracer;
///
/// fn tracer(exporter: impl SpanExporter + 'static) -> Result<OpenTelemetryTracer, ConfigError> {
///     OpenTelemetryTracer::builder()
///         .service_name("checkout")
///         .queue_spans(10_000)
///         .queue_bytes(16 * 1024 * 1024)
///         .batch_spans(256)
///         .batch_interval(Duration::from_millis(500))
///         .retries(3)
///         .backoff(Duration::from_millis(100), Duration::from_secs(10))
///         .export_timeout(Duration::from_secs(5))
///         .sampler(opentracing_http::sampler::Always)
///         .on_error(|error| eprintln!("tracing: {error}"))
///         .of_exporter(exporter)
/// }
/// ```
#[derive(Debug)]
#[must_use = "a tracer is made by `of_exporter` or `of_processor`"]
pub struct OpenTelemetryTracerBuilder {
    service_name: Option<String>,
    resource: Option<Resource>,
    export_timeout: Duration,
    reporter: ReporterBuilder,
}

impl Default for OpenTelemetryTracerBuilder {
    fn default() -> Self {
        Self {
            service_name: None,
            resource: None,
            export_timeout: EXPORT_TIMEOUT,
            reporter: Reporter::builder().thread_name("otel-reporter"),
        }
    }
}

impl OpenTelemetryTracerBuilder {
    /// Sets the resource's `service.name`; overrides [`resource`](Self::resource) and the environment.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Sets the resource for the exporter or processor. By default it is the SDK's, which reads `OTEL_SERVICE_NAME` and
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    ///
    /// ```
    /// use opentelemetry_sdk::Resource;
    /// use opentracing_opentelemetry::OpenTelemetryTracer;
    ///
    /// let resource = Resource::builder().with_service_name("checkout").build();
    /// let builder = OpenTelemetryTracer::builder().resource(resource);
    /// # let _ = builder;
    /// ```
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Sets which spans are recorded if the [policy](opentracing_http::HttpTracing) has no sampler that decides; see
    /// [`sampler`](opentracing_http::sampler). By default it follows the caller's decision and records all other spans.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.reporter = self.reporter.sampler(sampler);
        self
    }

    /// Sets how many spans wait at most; further spans are dropped. 2,048 by default.
    pub fn queue_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.queue_spans(spans);
        self
    }

    /// Sets how many bytes of memory the waiting spans hold at most, approximately; further spans are dropped. 8 MiB by
    /// default.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.reporter = self.reporter.queue_bytes(bytes);
        self
    }

    /// Sets how many spans are exported together at most. 512 by default, or the queue's limit if that is less.
    pub fn batch_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.batch_spans(spans);
        self
    }

    /// Sets how long a span waits at most for other spans of the same export. 1 s by default.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.reporter = self.reporter.batch_interval(interval);
        self
    }

    /// Sets how often a failed batch is retried, with growing pauses. 5 by default.
    ///
    /// An error of the SDK does not tell whether a retry can succeed, so every error is retried except that the
    /// exporter has been shut down. Set 0 for an exporter that retries by itself.
    pub fn retries(mut self, retries: u32) -> Self {
        self.reporter = self.reporter.retries(retries);
        self
    }

    /// Sets the pause before the first retry, and the longest pause. Pauses double; each is shortened by up to a half
    /// at random. 250 ms and 30 s by default.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.reporter = self.reporter.backoff(first, longest);
        self
    }

    /// Sets how long one export may take; then its future is dropped and the batch is retried. 30 s by default.
    ///
    /// It does not limit an exporter that blocks its thread, nor a processor.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.export_timeout = timeout;
        self
    }

    /// Sets a function that is called with each error of the exporter, including those that are retried, on the
    /// reporter's thread. A panic in it is caught.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.reporter = self.reporter.on_error(callback);
        self
    }

    /// Creates a tracer that sends spans with this exporter, and starts its threads.
    ///
    /// The exporter's future is polled on the reporter's thread, within the context of a small Tokio runtime that
    /// another thread drives. So exporters with a blocking client, an asynchronous one or none work, no matter from
    /// which thread the tracer is flushed. Telemetry is suppressed meanwhile
    /// ([`Context::is_telemetry_suppressed`](opentelemetry::Context::is_telemetry_suppressed)). For an exporter that
    /// needs a runtime when it is *created* (tonic), use [`of_exporter_made_by`](Self::of_exporter_made_by).
    ///
    /// # Errors
    ///
    /// Returns an error for the first wrong option, or if a thread cannot be started. It names the option and the
    /// remedy.
    pub fn of_exporter(
        self,
        exporter: impl SpanExporter + 'static,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        self.of_exporter_made_by(|| Ok::<_, ConfigError>(exporter))
    }

    /// Creates a tracer with an exporter that is created within the tracer's runtime, on the calling thread. Tasks that
    /// it spawns live and end with the tracer instead of the application's runtime.
    ///
    /// ```
    /// use std::fmt::Display;
    ///
    /// use opentelemetry_sdk::trace::SpanExporter;
    /// use opentracing_http::ConfigError;
    /// use opentracing_opentelemetry::OpenTelemetryTracer;
    ///
    /// // For example with `|| opentelemetry_otlp::SpanExporter::builder().with_tonic().build()`.
    /// fn tracer<E: SpanExporter + 'static, X: Display>(
    ///     make: impl FnOnce() -> Result<E, X>,
    /// ) -> Result<OpenTelemetryTracer, ConfigError> {
    ///     OpenTelemetryTracer::builder().of_exporter_made_by(make)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as those of [`of_exporter`](Self::of_exporter), and if the exporter cannot be created.
    pub fn of_exporter_made_by<E: SpanExporter + 'static, X: Display>(
        self,
        make: impl FnOnce() -> Result<E, X>,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        let (resource, limit) = (self.full_resource(), self.export_timeout);
        self.build("exporter", || {
            let mut exporter = make()?;
            exporter.set_resource(&resource);
            Ok::<_, X>(Box::new(ToExporter { exporter, limit }) as Box<dyn Receive>)
        })
    }

    /// Creates a tracer that passes spans to this processor, and starts its threads.
    ///
    /// The processor's `on_end` is called with each finished span on the reporter's thread, up to one
    /// [`batch_interval`](Self::batch_interval) later, within the same kind of runtime as an
    /// [exporter](Self::of_exporter). **`on_start` is never called**, because it takes a span of the SDK, and there is
    /// none. A processor that works there, for example copies baggage to attributes, does nothing here. A flush of the
    /// tracer calls `force_flush`, its end `shutdown`.
    ///
    /// A span counts as delivered when the processor has taken it. Spans that the processor drops later, as the SDK's
    /// batch processor does when its own queue is full, are not counted: if possible, pass the exporter itself to this
    /// tracer.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::SpanProcessor;
    /// use opentracing_http::ConfigError;
    /// use opentracing_opentelemetry::OpenTelemetryTracer;
    ///
    /// fn tracer(processor: impl SpanProcessor + 'static) -> Result<OpenTelemetryTracer, ConfigError> {
    ///     OpenTelemetryTracer::builder().of_processor(processor)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as those of [`of_exporter`](Self::of_exporter).
    pub fn of_processor(
        self,
        processor: impl SpanProcessor + 'static,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        self.of_processor_made_by(|| Ok::<_, ConfigError>(processor))
    }

    /// Creates a tracer with a processor that is created within the tracer's runtime, on the calling thread; see
    /// [`of_exporter_made_by`](Self::of_exporter_made_by) for an example.
    ///
    /// # Errors
    ///
    /// The same as those of [`of_exporter`](Self::of_exporter), and if the processor cannot be created.
    pub fn of_processor_made_by<P: SpanProcessor + 'static, X: Display>(
        self,
        make: impl FnOnce() -> Result<P, X>,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        let resource = self.full_resource();
        self.build("processor", || {
            let mut processor = make()?;
            processor.set_resource(&resource);
            Ok::<_, X>(Box::new(ToProcessor(processor)) as Box<dyn Receive>)
        })
    }

    fn full_resource(&self) -> Resource {
        let resource = match &self.resource {
            Some(resource) => {
                let attributes = resource
                    .iter()
                    .map(|(key, value)| opentelemetry::KeyValue::new(key.clone(), value.clone()));
                let builder = Resource::builder_empty();
                match resource.schema_url() {
                    Some(url) => builder.with_schema_url(attributes, url.to_owned()),
                    None => builder.with_attributes(attributes),
                }
            }
            None => Resource::builder(),
        };
        match &self.service_name {
            Some(name) => resource.with_service_name(name.clone()).build(),
            None => resource.build(),
        }
    }

    fn build<X: Display>(
        self,
        what: &'static str,
        make: impl FnOnce() -> Result<Box<dyn Receive>, X>,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        if self.export_timeout.is_zero() {
            return Err(ConfigError::new(
                "export_timeout",
                "0 leaves no time for an export; leave the default or raise it",
            ));
        }
        let runtime = Runtime::start()?;
        let receiver = runtime
            .within(make)
            .map_err(|error| ConfigError::new(what, error.to_string()))?;
        let sink = Arc::new(Sink::new(receiver, runtime));
        let handle = Arc::downgrade(&sink);
        let reporter = self.reporter.build(SinkExporter::new(sink))?;
        Ok(OpenTelemetryTracer::new(reporter, handle))
    }
}
