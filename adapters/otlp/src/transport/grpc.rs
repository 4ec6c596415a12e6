//! OTLP over gRPC (OTLP specification, "OTLP/gRPC"), with `tonic`: one unary call at a time.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use http::uri::PathAndQuery;
use http::{Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower::ServiceExt;

use crate::messages::ExportTraceServiceResponse;
use crate::transport::{
    Failure, Prepared, RESPONSE_BYTES, Receipt, Transport, USER_AGENT, response,
};

/// The method of `TraceService` (OTLP specification, "OTLP/gRPC").
const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

pub(crate) struct Grpc {
    /// Created by the reporting thread, the only one that uses it. So the tracer can be created, flushed and dropped
    /// within any runtime.
    runtime: Option<Runtime>,
    prepared: Arc<Prepared>,
    /// The connection of the last successful call.
    channel: Option<Channel>,
}

impl Grpc {
    pub(crate) fn new(prepared: Prepared) -> Self {
        Self {
            runtime: None,
            prepared: Arc::new(prepared),
            channel: None,
        }
    }
}

impl Drop for Grpc {
    fn drop(&mut self) {
        // A name look-up may hang; nothing waits for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Transport for Grpc {
    fn send(&mut self, request: Vec<u8>) -> Result<Receipt, Failure> {
        let Self {
            runtime,
            prepared,
            channel,
        } = self;
        let on_the_way = |error: &dyn fmt::Display| Failure::on_the_way(&prepared.endpoint, error);
        let runtime = match runtime {
            Some(runtime) => runtime,
            None => {
                let made = Builder::new_current_thread().enable_all().build();
                runtime.insert(made.map_err(|error| on_the_way(&error))?)
            }
        };
        // It is kept only if the call ends: with a peer that stalls the next call would stall, too.
        let kept = channel.take();
        let call = call(prepared, kept, request.into());
        match runtime.block_on(async { timeout(prepared.timeout, call).await }) {
            Ok((used, response)) => {
                *channel = used;
                response.map_err(|status| failure(prepared, &status))
            }
            Err(_) => {
                let limit = prepared.timeout;
                Err(on_the_way(&format_args!("no response within {limit:?}")))
            }
        }
    }
}

/// Makes a call. Returns its connection and its response.
async fn call(
    prepared: &Arc<Prepared>,
    kept: Option<Channel>,
    request: Bytes,
) -> (Option<Channel>, Result<Receipt, Status>) {
    // The peer may have closed an idle connection without a notice.
    if let Some(channel) = kept {
        let response = exchange(prepared, channel.clone(), request.clone()).await;
        if !response.as_ref().is_err_and(is_on_the_way) {
            return (Some(channel), response);
        }
    }
    let channel = connect(prepared);
    let response = exchange(prepared, channel.clone(), request).await;
    let is_usable = !response.as_ref().is_err_and(is_on_the_way);
    (is_usable.then_some(channel), response)
}

/// Returns `true` if the call failed before a response came. Then tonic has created the status, and it contains the
/// cause.
fn is_on_the_way(status: &Status) -> bool {
    status.source().is_some()
}

async fn exchange(
    prepared: &Prepared,
    channel: Channel,
    request: Bytes,
) -> Result<Receipt, Status> {
    let mut request = Request::from_parts(
        MetadataMap::from_headers(prepared.headers.clone()),
        tonic::Extensions::new(),
        request,
    );
    request.set_timeout(prepared.timeout);
    let client = tonic::client::Grpc::new(channel.map_response(of_grpc));
    let mut client = client.max_decoding_message_size(RESPONSE_BYTES);
    #[cfg(feature = "gzip")]
    if prepared.is_compressed {
        client = client.send_compressed(tonic::codec::CompressionEncoding::Gzip);
    }
    let ready = client.ready().await;
    ready.map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static(METHOD);
    let response = client.unary(request, path, Encoded).await?;
    Ok(response::receipt_of(response.into_inner()))
}

/// Converts a response that is not gRPC's, such as a proxy's, to a gRPC status (gRPC's "HTTP to gRPC Status Code
/// Mapping").
fn of_grpc(response: Response<Body>) -> Response<Body> {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let status = response.status();
    if is_grpc && status == StatusCode::OK {
        return response;
    }
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("no gRPC, but HTTP status {status}")).into_http()
}

fn connect(prepared: &Arc<Prepared>) -> Channel {
    let endpoint = Endpoint::from(prepared.endpoint.uri.clone());
    let endpoint = endpoint.user_agent(USER_AGENT);
    // Both texts are this crate's own, or were checked when the tracer was built.
    let endpoint = endpoint.unwrap_or_else(|_| prepared.endpoint.uri.clone().into());
    let prepared = prepared.clone();
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let prepared = prepared.clone();
        async move { prepared.connect().await.map(TokioIo::new) }
    }))
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Prepared {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = self.reach().await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let host = self.endpoint.host.clone();
            let name = tokio_rustls::rustls::pki_types::ServerName::try_from(host)
                .map_err(io::Error::other)?;
            let connector = tokio_rustls::TlsConnector::from(tls.for_http2());
            let stream = connector.connect(name, stream).await?;
            let protocol = stream.get_ref().1.alpn_protocol();
            if protocol != Some(b"h2") {
                return Err(io::Error::other("the server does not support HTTP/2"));
            }
            return Ok(Box::new(stream));
        }
        Ok(Box::new(stream))
    }

    /// Tries the host's addresses one after the other, each for its share of the time.
    async fn reach(&self) -> io::Result<TcpStream> {
        let endpoint = &self.endpoint;
        let addresses = lookup_host((&*endpoint.host, endpoint.port)).await?;
        let addresses: Vec<_> = addresses.collect();
        let share = share(self.timeout, addresses.len());
        let mut last = io::Error::other("the host has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::other(format!("{address} does not respond")),
            }
        }
        Err(last)
    }
}

fn share(whole: Duration, parts: usize) -> Duration {
    whole / u32::try_from(parts).unwrap_or(u32::MAX).max(1)
}

/// Encodes nothing: requests are encoded before, so that their size is known.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, request: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(request);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    /// A response that cannot be decoded counts as empty, because the spans were accepted.
    fn decode(
        &mut self,
        buffer: &mut DecodeBuf<'_>,
    ) -> Result<Option<ExportTraceServiceResponse>, Status> {
        Ok(Some(
            ExportTraceServiceResponse::decode(buffer).unwrap_or_default(),
        ))
    }
}

fn failure(prepared: &Prepared, status: &Status) -> Failure {
    let endpoint = &prepared.endpoint;
    if is_on_the_way(status) {
        return Failure::on_the_way(endpoint, Causes(status));
    }
    let (code, details) = (status.code(), response::details(status.details()));
    let message = response::shortened(status.message());
    Failure {
        is_retry: is_retry(code, details.after.is_some()),
        after: details.after,
        source: match &*message {
            "" => format!("{endpoint}: gRPC status {code:?}"),
            message => format!("{endpoint}: gRPC status {code:?}: {message}"),
        }
        .into(),
    }
}

/// Returns `true` if a retry may succeed (OTLP specification, "Failures" of OTLP/gRPC).
fn is_retry(code: Code, has_delay: bool) -> bool {
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // The server can recover only if it names a delay.
        Code::ResourceExhausted => has_delay,
        _ => false,
    }
}

/// Finds the last cause of an error, which is the most specific one.
struct Causes<'a>(&'a Status);

/// Returns `true` if the error is what HTTP/1 looks like when it is read as HTTP/2.
fn is_other_protocol(error: &(dyn Error + 'static)) -> bool {
    use h2::Reason;

    let reason = error.downcast_ref().and_then(h2::Error::reason);
    matches!(
        reason,
        Some(Reason::FRAME_SIZE_ERROR | Reason::PROTOCOL_ERROR | Reason::HTTP_1_1_REQUIRED)
    )
}

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last: &(dyn Error + 'static) = self.0;
        while let Some(cause) = last.source() {
            last = cause;
        }
        fmt::Display::fmt(last, f)?;
        if is_other_protocol(last) {
            f.write_str(
                "; does this port accept OTLP over gRPC (4317 by default; HTTP's is 4318)?",
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_retried_as_the_specification_says() {
        let codes = (0..17).map(Code::from_i32);
        let retried: Vec<_> = codes.filter(|code| is_retry(*code, false)).collect();
        let expected = [1, 4, 10, 11, 14, 15].map(Code::from_i32);
        assert_eq!(retried, expected);
        assert!(is_retry(Code::ResourceExhausted, true));
        assert!(!is_retry(Code::Unknown, true));
    }
}
