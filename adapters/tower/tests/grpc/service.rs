//! The services that the tests call: one that was generated, and one with streams.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceService;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentracing_tower::Span;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, ServerStreamingService};
use tonic::{Code, Status};
use tower::Service;

/// The generated service. The metadata `ask` of a call contains what it does.
#[derive(Clone, Default)]
pub(crate) struct Traces {
    /// Notified when a call that hangs has begun.
    pub(crate) begun: Arc<Notify>,
}

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        Span::current().set_tag("handled", true);
        let ask = request
            .metadata()
            .get("ask")
            .and_then(|ask| ask.to_str().ok())
            .unwrap_or_default();
        if let Some(status) = status(ask) {
            return Err(status);
        }
        if ask == "panic" {
            panic!("as asked for");
        }
        if ask == "hang" {
            self.begun.notify_one();
            pending::<()>().await;
        }
        let mut response = tonic::Response::new(ExportTraceServiceResponse::default());
        let mut headers = HeaderMap::new();
        Span::current().inject(&mut headers);
        if let Some(sent) = headers.remove("traceparent") {
            response.metadata_mut().as_mut().insert("sent-on", sent);
        }
        Ok(response)
    }
}

fn status(ask: &str) -> Option<Status> {
    let code = ask.strip_prefix("status ")?.parse().ok()?;
    Some(Status::new(Code::from_i32(code), "not this time, or 100 %"))
}

/// A service with streams of text. The text of a call contains what it does.
#[derive(Clone)]
pub(crate) struct Texts;

impl NamedService for Texts {
    const NAME: &'static str = "test.v1.Texts";
}

impl Service<Request<Body>> for Texts {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() != "/test.v1.Texts/Watch" {
                return Ok(Status::unimplemented("").into_http());
            }
            Ok(tonic::server::Grpc::new(Text)
                .server_streaming(Watch, request)
                .await)
        })
    }
}

struct Watch;

impl ServerStreamingService<String> for Watch {
    type Response = String;
    type ResponseStream = BoxStream<'static, Result<String, Status>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let ask = request.into_inner();
        let two = stream::iter(["one".to_owned(), "two".to_owned()]).map(Ok);
        let answer = match status(&ask) {
            Some(status) => two.chain(stream::iter([Err(status)])).boxed(),
            None if ask == "hang" => two.chain(stream::pending()).boxed(),
            None => two.boxed(),
        };
        std::future::ready(Ok(tonic::Response::new(answer)))
    }
}

/// Messages that are text.
#[derive(Clone, Copy)]
pub(crate) struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let text = String::from_utf8(bytes.to_vec());
        text.map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
