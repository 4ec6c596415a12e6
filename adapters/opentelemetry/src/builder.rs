//! The tracer's options.

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

/// As long as the SDK's batch processor gives an exporter by default (`OTEL_BSP_EXPORT_TIMEOUT`).
const EXPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// Changes the defaults of an [`OpenTelemetryTracer`].
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
///         .batch_interval(Duration::from_millis(500))
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
    /// Sets the resource's `service.name`, over what [`resource`](Self::resource) and the environment say.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Sets the resource that the exporter or processor is given. By default it is the SDK's, which reads `OTEL_SERVICE_NAME`
    /// and `OTEL_RESOURCE_ATTRIBUTES`.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Decides which spans are recorded, where the [policy](opentracing_http::HttpTracing) has no sampler that does; see
    /// [`sampler`](opentracing_http::sampler). By default the caller's decision holds, and everything else is recorded.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.reporter = self.reporter.sampler(sampler);
        self
    }

    /// Bounds how many spans wait; what comes beyond is dropped. Default 2,048.
    pub fn queue_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.queue_spans(spans);
        self
    }

    /// Bounds how many bytes of memory the waiting spans hold, about; what comes beyond is dropped. Default 8 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.reporter = self.reporter.queue_bytes(bytes);
        self
    }

    /// Bounds how many spans are exported at once. Default 512, or the queue's bound if that is less.
    pub fn batch_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.batch_spans(spans);
        self
    }

    /// Sets how long a span waits at most for others to be exported with. Default 1 s.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.reporter = self.reporter.batch_interval(interval);
        self
    }

    /// Sets how often a batch whose export failed is tried again, with pauses that grow. Default 5.
    ///
    /// An error of the SDK's does not tell whether trying again helps, so every one is tried again, except that the exporter
    /// has been shut down. Give 0 for an exporter that tries again by itself and cannot be told not to.
    pub fn retries(mut self, retries: u32) -> Self {
        self.reporter = self.reporter.retries(retries);
        self
    }

    /// Sets the pause before the first retry, and the longest one: they double, less up to a half by chance. Default 250 ms and
    /// 30 s.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.reporter = self.reporter.backoff(first, longest);
        self
    }

    /// Sets how long one export may take; after that its future is dropped, and the batch tried again. Default 30 s.
    ///
    /// An exporter that blocks its thread takes as long as it takes. A processor has no such limit.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.export_timeout = timeout;
        self
    }

    /// Is called with each error of the exporter, also those that are retried, on the reporter's thread. A panic in it is
    /// caught.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.reporter = self.reporter.on_error(callback);
        self
    }

    /// Creates a tracer that sends spans with this exporter, and starts its threads.
    ///
    /// The exporter's future is polled on the reporter's thread, within the context of a small Tokio runtime that another
    /// thread drives: exporters with a blocking client, with an asynchronous one and with none work alike, from whatever thread
    /// the tracer is flushed. Telemetry is suppressed meanwhile
    /// ([`Context::is_telemetry_suppressed`](opentelemetry::Context::is_telemetry_suppressed)). An exporter that needs a runtime
    /// when it is *made* (tonic) belongs into [`of_exporter_made_by`](Self::of_exporter_made_by).
    ///
    /// # Errors
    ///
    /// The first option that was given something wrong, with the remedy; or a thread cannot be started.
    pub fn of_exporter(
        self,
        exporter: impl SpanExporter + 'static,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        self.of_exporter_made_by(|| Ok::<_, ConfigError>(exporter))
    }

    /// The same for an exporter that is made within that runtime, on the calling thread: what it spawns then lives and ends with
    /// the tracer, and not with the application's runtime.
    ///
    /// ```
    /// use std::fmt::Display;
    ///
    /// use opentelemetry_sdk::trace::SpanExporter;
    /// use opentracing_http::ConfigError;
    /// use opentracing_opentelemetry::OpenTelemetryTracer;
    ///
    /// // With `|| opentelemetry_otlp::SpanExporter::builder().with_tonic().build()`, for one.
    /// fn tracer<E: SpanExporter + 'static, X: Display>(
    ///     make: impl FnOnce() -> Result<E, X>,
    /// ) -> Result<OpenTelemetryTracer, ConfigError> {
    ///     OpenTelemetryTracer::builder().of_exporter_made_by(make)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`of_exporter`](Self::of_exporter), or that the exporter cannot be made.
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

    /// Creates a tracer that hands spans to this processor, and starts its threads.
    ///
    /// The processor's `on_end` is called with each finished span, on the reporter's thread, up to a
    /// [`batch_interval`](Self::batch_interval) later, within the same runtime as an [exporter](Self::of_exporter) is. **`on_start` is
    /// never called**: it takes a span of the SDK's, and there is none. A processor that does its work there (copies baggage
    /// to attributes, say) does nothing here. A flush of the tracer calls `force_flush`, its end `shutdown`.
    ///
    /// A span counts as delivered when the processor has taken it. What the processor drops later, as the SDK's batch processor
    /// does when its own queue is full, nobody is told: give this tracer the exporter itself where you can.
    ///
    /// # Errors
    ///
    /// As [`of_exporter`](Self::of_exporter).
    pub fn of_processor(
        self,
        processor: impl SpanProcessor + 'static,
    ) -> Result<OpenTelemetryTracer, ConfigError> {
        self.of_processor_made_by(|| Ok::<_, ConfigError>(processor))
    }

    /// The same for a processor that is made within that runtime, on the calling thread.
    ///
    /// # Errors
    ///
    /// As [`of_exporter`](Self::of_exporter), or that the processor cannot be made.
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
                "0 ends every export before it has begun; leave the default or raise it",
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
