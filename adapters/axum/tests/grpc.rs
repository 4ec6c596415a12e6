//! gRPC calls to a service of tonic among axum's routes.

#![allow(clippy::unwrap_used)]

use axum::body::{Body, Bytes};
use axum::{Router, routing::get};
use http::Request;
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentracing_axum::{FinishedSpan, HttpTracing, InMemoryTracer, TracingLayer};
use tonic::service::Routes;
use tower::ServiceExt as _;

const SERVICE: &str = "opentelemetry.proto.collector.trace.v1.TraceService";

struct Traces;

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Sends a request to a router that serves gRPC and HTTP, and returns its span.
async fn span(path: &str, content_type: &str) -> FinishedSpan {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let app: Router = Routes::new(TraceServiceServer::new(Traces))
        .into_axum_router()
        .route("/health", get(|| async { "well" }))
        .layer(TracingLayer::new(&tracing));
    let method = if path == "/health" { "GET" } else { "POST" };
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", content_type);
    // An empty message.
    let request = request.body(Body::from(Bytes::from_static(&[0; 5])));
    let response = app.oneshot(request.unwrap()).await.unwrap();
    drop(response.into_body().collect().await.unwrap());
    tracer.assert_nothing_unfinished();
    tracer.take().remove(0)
}

#[tokio::test]
async fn call_is_named_after_its_method_and_keeps_the_route() {
    let span = span(&format!("/{SERVICE}/Export"), "application/grpc").await;
    assert_eq!(span.name(), format!("{SERVICE}/Export"));
    assert_eq!(span.tag("rpc.status_code").unwrap(), "OK");
    assert_eq!(
        span.tag("http.route").unwrap(),
        format!("/{SERVICE}/{{*rest}}").as_str()
    );
}

#[tokio::test]
async fn call_of_an_unknown_method_is_no_name() {
    for path in [format!("/{SERVICE}/Nothing"), "/shop.Nobody/Get".to_owned()] {
        let span = span(&path, "application/grpc").await;
        assert_eq!(span.name(), "grpc");
        assert_eq!(span.tag("rpc.method").unwrap(), "_OTHER");
        assert_eq!(span.tag("rpc.method_original").unwrap(), &path[1..]);
        assert!(span.is_error());
    }
}

#[tokio::test]
async fn other_routes_are_named_as_before() {
    assert_eq!(span("/health", "text/plain").await.name(), "GET /health");
    // No call: its response is not of gRPC.
    let span = span("/health", "application/grpc").await;
    assert_eq!((span.name(), span.is_error()), ("grpc", false));
    assert_eq!(span.tag("http.route").unwrap(), "/health");
}
