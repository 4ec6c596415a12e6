//! What the layer makes of the spans that tonic, tower, hyper and h2 open themselves, down to TRACE, in calls over a socket: the
//! tasks of a connection live on after the request that opened it.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentracing_tower::{FinishedSpan, HttpTracing, InMemoryTracer, TracingLayer};
use opentracing_tracing::SpanLayer;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Response, Status, async_trait};
use tracing::{info, info_span, instrument};
use tracing_subscriber::prelude::*;

struct Collector;

#[async_trait]
impl TraceService for Collector {
    #[instrument(skip_all)]
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        info!("received");
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Starts a traced server in the current runtime, and returns its address.
fn serve(tracing: &HttpTracing) -> String {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder()
        .trace_fn(|_| info_span!("of tonic"))
        .layer(TracingLayer::new(tracing))
        .add_service(TraceServiceServer::new(Collector));
    tokio::spawn(server.serve_with_incoming(incoming));
    format!("http://{address}")
}

async fn call(channel: &Channel) {
    let mut client = TraceServiceClient::new(channel.clone());
    let request = ExportTraceServiceRequest::default();
    client.export(request).await.unwrap();
}

#[instrument(skip_all)]
async fn order(channel: &Channel) {
    call(channel).await;
}

// All tasks run on this thread, with its subscriber.
#[tokio::test]
async fn connection_that_outlives_its_request_adds_nothing_to_it() {
    let _default = tracing_subscriber::registry()
        .with(SpanLayer::new())
        .set_default();
    let served = InMemoryTracer::new();
    let address = serve(&HttpTracing::new(served.clone()));

    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    // It connects with the first call.
    let channel = Endpoint::new(address).unwrap().connect_lazy();
    let mut seen = 0;
    for name in ["first", "second"] {
        let request = tracing.span(name).start();
        (*request).clone().scope(order(&channel)).await;
        request.finish();

        // The connection is open, and holds nothing of the request.
        tracer.assert_nothing_unfinished();
        let spans = tracer.finished().split_off(seen);
        seen += spans.len();
        let request = spans.iter().find(|span| span.name() == name).unwrap();
        for span in &spans {
            assert_eq!(span.context().trace_id(), request.context().trace_id());
            assert!(span.end() <= request.end(), "{}", span.name());
        }
        // The greeting of a new connection is written within the caller's span. Everything later is the connection's own: h2's
        // span of it has no parent.
        let expected = match name {
            "first" => HashSet::from([name, "order", "FramedWrite::buffer"]),
            _ => HashSet::from([name, "order"]),
        };
        let found: HashSet<_> = spans.iter().map(FinishedSpan::name).collect();
        assert_eq!(found, expected);
    }

    // The same connection, outside of requests.
    call(&channel).await;
    assert_eq!(tracer.finished().len(), seen);
    tracer.assert_nothing_unfinished();

    // `trace_fn` opens its span around every layer, so outside of the request.
    for call in served.finished().chunks(2) {
        let [export, request] = call else {
            panic!("{call:?}");
        };
        let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
        assert_eq!((export.name(), request.name()), ("export", method));
        assert_eq!(export.parent_id(), Some(request.context().span_id()));
        assert_eq!(export.logs().len(), 1);
    }
    assert_eq!(served.finished().len(), 6);
}
