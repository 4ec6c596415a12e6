//! Log lines of a tonic service, as the page about logs shows them.

#![allow(clippy::unwrap_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Request;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentracing_tower::{HttpTracing, InMemoryTracer, TracingLayer};
use opentracing_tracing::log_ids;
use tonic::service::Routes;
use tonic::{Response, Status, async_trait};
use tower::{Layer, ServiceExt};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// Writes log lines in the format logfmt, each with the ids of the current span.
fn log_lines(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let lines = tracing_logfmt::builder().layer();
    let lines = lines.with_writer(log_ids(writer));
    tracing_subscriber::registry().with(lines).init();
}

/// A collector of traces, which logs the number of resources that it receives.
struct Collector;

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.get_ref().resource_spans.len();
        tracing::info!(resources, "received");
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn line_of_a_call_has_its_ids() {
    let kept = Kept::default();
    let writer = kept.clone();
    log_lines(move || writer.clone());
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let routes = Routes::new(TraceServiceServer::new(Collector));
    let service = TracingLayer::new(&tracing).layer(routes.prepare());

    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let request = Request::post(path).header("content-type", "application/grpc");
    // One message, not compressed, of no bytes.
    let request = request.body(Body::from(&[0; 5][..])).unwrap();
    let response = service.oneshot(request).await.unwrap();
    drop(axum::body::to_bytes(Body::new(response.into_body()), 100).await);

    let context = tracer.finished()[0].context();
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let expected = format!(
        " message=received resources=0 trace_id={} span_id={}\n",
        context.trace_id(),
        context.span_id()
    );
    assert!(text.ends_with(&expected), "{text:?} lacks {expected:?}");
}
