//! gRPC-Web calls, through the layer of tonic-web.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceServiceServer;
use opentracing_tower::{HttpTracing, InMemoryTracer, TracingLayer};
use tonic::body::Body;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceExt as _};

use crate::service::Traces;
use crate::{METHOD, only, tag};

/// A gRPC-Web call with an empty message, as a browser sends it.
fn call(ask: &str) -> Request<Body> {
    Request::post(format!("http://shop.example/{METHOD}"))
        .header("content-type", "application/grpc-web+proto")
        .header("ask", ask)
        .body(Body::new(Full::new(Bytes::from_static(&[0; 5]))))
        .unwrap()
}

fn routes() -> Routes {
    Routes::new(TraceServiceServer::new(Traces::default()))
}

/// Reads the response to its end, and returns it as text.
async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let head = format!("{:?}", response.headers());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    head + &String::from_utf8_lossy(&body)
}

#[tokio::test]
async fn layer_inside_of_grpc_web_sees_a_call_of_grpc() {
    let tracer = InMemoryTracer::new();
    let layer = TracingLayer::new(HttpTracing::new(tracer.clone()));
    let service = GrpcWebLayer::new().layer(layer.layer(routes()));
    for (ask, number, name) in [("nothing", "0", "OK"), ("status 13", "13", "INTERNAL")] {
        let response = service.clone().oneshot(call(ask)).await.unwrap();
        let sent = text(response).await.replace([' ', '"'], "");
        assert!(sent.contains(&format!("grpc-status:{number}")), "{sent}");
        let span = only(&tracer).await;
        assert_eq!((span.name(), span.is_error()), (METHOD, name != "OK"));
        assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some(name));
    }
}

#[tokio::test]
async fn layer_outside_of_grpc_web_sees_a_request_of_http() {
    let tracer = InMemoryTracer::new();
    let layer = TracingLayer::new(HttpTracing::new(tracer.clone()));
    let service = layer.layer(GrpcWebLayer::new().layer(routes()));
    let response = service.oneshot(call("status 13")).await.unwrap();
    text(response).await;
    let span = only(&tracer).await;
    assert_eq!((span.name(), span.is_error()), ("POST", false));
    assert!(span.tags().iter().all(|tag| !tag.key.starts_with("rpc.")));
}
