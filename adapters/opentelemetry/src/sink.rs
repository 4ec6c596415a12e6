//! The receiver of spans: an exporter or a processor of OpenTelemetry's SDK.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter, SpanProcessor};
use opentracing_http::FinishedSpan;
use opentracing_http::report::{ExportError, Exporter};

use crate::runtime::{Runtime, block_on};
use crate::span_data::{scope, span_data};

/// A receiver of spans.
pub(crate) trait Receive: Send + Sync + fmt::Debug {
    fn receive(&self, batch: &mut dyn Iterator<Item = SpanData>) -> OTelSdkResult;
    fn force_flush(&self) -> OTelSdkResult;
    fn shutdown(&self) -> OTelSdkResult;
}

#[derive(Debug)]
pub(crate) struct ToExporter<E> {
    pub(crate) exporter: E,
    pub(crate) limit: Duration,
}

impl<E: SpanExporter> Receive for ToExporter<E> {
    fn receive(&self, batch: &mut dyn Iterator<Item = SpanData>) -> OTelSdkResult {
        let export = self.exporter.export(batch.collect());
        block_on(export, self.limit).unwrap_or(Err(OTelSdkError::Timeout(self.limit)))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown(&self) -> OTelSdkResult {
        // Not `shutdown_with_timeout`, because exporters that implement `shutdown` do not implement it.
        self.exporter.shutdown()
    }
}

#[derive(Debug)]
pub(crate) struct ToProcessor<P>(pub(crate) P);

impl<P: SpanProcessor> Receive for ToProcessor<P> {
    fn receive(&self, batch: &mut dyn Iterator<Item = SpanData>) -> OTelSdkResult {
        batch.for_each(|span| self.0.on_end(span));
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.0.shutdown()
    }
}

/// A receiver together with its runtime.
#[derive(Debug)]
pub(crate) struct Sink {
    /// Taken when the sink is dropped, within the runtime.
    receiver: Option<Box<dyn Receive>>,
    runtime: Runtime,
}

impl Sink {
    pub(crate) fn new(receiver: Box<dyn Receive>, runtime: Runtime) -> Self {
        Self {
            receiver: Some(receiver),
            runtime,
        }
    }

    pub(crate) fn call(&self, call: impl FnOnce(&dyn Receive) -> OTelSdkResult) -> OTelSdkResult {
        match &self.receiver {
            Some(receiver) => self.runtime.within(|| call(&**receiver)),
            None => Ok(()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.runtime.within(|| self.receiver = None);
    }
}

/// Passes the reporter's batches to a sink.
#[derive(Debug)]
pub(crate) struct SinkExporter {
    sink: Arc<Sink>,
    scope: InstrumentationScope,
}

impl SinkExporter {
    pub(crate) fn new(sink: Arc<Sink>) -> Self {
        Self {
            sink,
            scope: scope(),
        }
    }
}

impl Exporter for SinkExporter {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        let mut spans = batch.iter().map(|span| span_data(span, &self.scope));
        let result = self.sink.call(|receiver| receiver.receive(&mut spans));
        result.map_err(|error| match error {
            OTelSdkError::AlreadyShutdown => ExportError::rejected(error),
            // The error does not tell whether a retry can succeed.
            OTelSdkError::Timeout(_) | OTelSdkError::InternalFailure(_) => {
                ExportError::retry(error)
            }
        })
    }

    fn shutdown(&mut self) {
        // Nothing can receive the error any more.
        let _ = self.sink.call(|receiver| receiver.shutdown());
    }
}
