//! A collector made of OpenTelemetry's own service and messages, for both of OTLP's protocols on one port.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::environment::text;

/// A running collector, which stores the requests.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Receiver<(Protocol, ExportTraceServiceRequest)>,
    _runtime: Runtime,
}

/// The protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP over HTTP, as protobuf.
    Http,
    /// OTLP over gRPC.
    Grpc,
}

type Keep = Sender<(Protocol, ExportTraceServiceRequest)>;

impl Collector {
    /// Starts a collector on a free port.
    ///
    /// # Errors
    ///
    /// Returns an error if the system provides no port or no thread.
    pub fn start() -> std::io::Result<Self> {
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let (keep, received) = channel();
        let routes = Routes::new(TraceServiceServer::new(Grpc(keep.clone())))
            .into_axum_router()
            .route("/v1/traces", post(over_http).with_state(keep));
        runtime.spawn(async { axum::serve(listener, routes).await });
        Ok(Self {
            address,
            received,
            _runtime: runtime,
        })
    }

    /// Returns the value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests that have arrived.
    pub(crate) fn received(&self) -> Vec<(Protocol, ExportTraceServiceRequest)> {
        self.received.try_iter().collect()
    }

    /// Returns the spans that have arrived since the last call, each with the name of its service.
    #[must_use]
    pub fn spans(&self) -> Vec<(String, Span)> {
        let requests = self.received().into_iter();
        let resources = requests.flat_map(|(_, request)| request.resource_spans);
        resources
            .flat_map(|of_resource| {
                let resource = of_resource.resource.unwrap_or_default();
                let service = text(&resource.attributes, "service.name").unwrap_or_default();
                let service = service.to_owned();
                let scopes = of_resource.scope_spans.into_iter();
                let spans = scopes.flat_map(|of_scope| of_scope.spans);
                spans.map(move |span| (service.clone(), span))
            })
            .collect()
    }
}

async fn over_http(State(keep): State<Keep>, body: Bytes) -> StatusCode {
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => {
            // If the collector is being dropped, the request is not stored.
            let _ = keep.send((Protocol::Http, request));
            StatusCode::OK
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

struct Grpc(Keep);

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.0.send((Protocol::Grpc, request.into_inner()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
