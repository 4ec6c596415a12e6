//! Exporters and processors that keep what they receive.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor};
use opentracing_http::FinishedSpan;
use opentracing_testkit::tracer::Sink;

/// What an exporter or a processor was given, and how often it was called. Its clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) spans: Arc<Mutex<Vec<SpanData>>>,
    pub(crate) resource: Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) exports: Arc<AtomicU32>,
    pub(crate) flushes: Arc<AtomicU32>,
    pub(crate) shutdowns: Arc<AtomicU32>,
    pub(crate) starts: Arc<AtomicU32>,
    /// What the next exports fail with, the next one last.
    pub(crate) errors: Arc<Mutex<Vec<OTelSdkError>>>,
    /// What flushes fail with.
    pub(crate) flush_error: Arc<Mutex<Option<OTelSdkError>>>,
    /// Where contract cases look, and what they stall.
    pub(crate) sink: Option<Sink>,
}

pub(crate) fn count(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::Relaxed)
}

impl Received {
    pub(crate) fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut self.spans.lock().unwrap())
    }

    /// An SDK that keeps its spans here.
    pub(crate) fn provider(&self) -> SdkTracerProvider {
        SdkTracerProvider::builder()
            .with_simple_exporter(self.clone())
            .build()
    }

    fn receive(&self, span: SpanData) {
        assert!(Context::is_current_telemetry_suppressed());
        if let Some(sink) = &self.sink {
            sink.pass();
            sink.receive(crate::contract::arrived(&span));
        }
        self.spans.lock().unwrap().push(span);
    }

    fn keep(&self, resource: &Resource) {
        let attributes = resource.iter();
        let attributes = attributes.map(|(key, value)| (key.to_string(), value.to_string()));
        *self.resource.lock().unwrap() = attributes.collect();
    }
}

impl SpanExporter for Received {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.exports.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = self.errors.lock().unwrap().pop() {
            return Err(error);
        }
        // The SDK's own simple processor suppresses nothing.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        batch.into_iter().for_each(|span| self.receive(span));
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        match self.flush_error.lock().unwrap().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.shutdowns.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.keep(resource);
    }
}

/// The same as a processor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Processes(pub(crate) Received);

impl SpanProcessor for Processes {
    fn on_start(&self, _: &mut Span, _: &Context) {
        self.0.starts.fetch_add(1, Ordering::Relaxed);
    }

    fn on_end(&self, span: SpanData) {
        self.0.receive(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        SpanExporter::force_flush(&self.0)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        SpanExporter::shutdown_with_timeout(&self.0, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.keep(resource);
    }
}

/// The attribute's value as text.
pub(crate) fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.to_string())
}

/// The ids of a span of ours, as OpenTelemetry shows them.
pub(crate) fn ids(span: &FinishedSpan) -> (String, String) {
    let context = span.context();
    (
        context.trace_id().to_string(),
        context.span_id().to_string(),
    )
}
