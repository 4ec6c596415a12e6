//! OTLP over gRPC (OTLP specification, "OTLP/gRPC"; gRPC's "PROTOCOL-HTTP2"): one unary call at a time, over HTTP/2.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::transport::{
    Failure, Prepared, RESPONSE_BYTES, Receipt, Transport, USER_AGENT, answer, compress,
};

/// What stands before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

pub(crate) struct Grpc {
    /// Made by the reporting thread, which is the only one that uses it, so that it does not matter within which runtime the
    /// tracer is made, flushed or dropped.
    runtime: Option<Runtime>,
    client: Client,
}

struct Client {
    prepared: Prepared,
    /// The request's head, which is always the same.
    head: HeaderMap,
    connection: Option<Connection>,
}

/// A connection and the task that serves it, which ends with it.
struct Connection {
    sender: SendRequest<Bytes>,
    task: AbortHandle,
}

impl Drop for Connection {
    // A peer that does not read would keep it, and the request in it, for ever.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Grpc {
    pub(crate) fn new(prepared: Prepared) -> Self {
        let mut head = prepared.headers.clone();
        let mut set = |name, value| head.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, "application/grpc");
        set(header::TE, "trailers");
        set(header::USER_AGENT, USER_AGENT);
        if prepared.is_compressed {
            set(header::HeaderName::from_static("grpc-encoding"), "gzip");
        }
        // At most eight digits.
        let milliseconds = prepared.timeout.as_millis().min(99_999_999);
        if let Ok(limit) = HeaderValue::try_from(format!("{milliseconds}m")) {
            head.insert("grpc-timeout", limit);
        }
        Self {
            runtime: None,
            client: Client {
                prepared,
                head,
                connection: None,
            },
        }
    }
}

impl Drop for Grpc {
    fn drop(&mut self) {
        // A look-up of a name may hang; nobody waits for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Transport for Grpc {
    fn send(&mut self, request: Vec<u8>) -> Result<Receipt, Failure> {
        let Self { runtime, client } = self;
        let on_the_way = |client: &Client, error: &dyn fmt::Display| {
            Failure::on_the_way(&client.prepared.endpoint, error)
        };
        let is_compressed = client.prepared.is_compressed;
        let request = match is_compressed {
            true => compress(&request).map_err(|error| on_the_way(client, &error))?,
            false => request,
        };
        let message = framed(&request, is_compressed)
            .ok_or_else(|| on_the_way(client, &"the request is too large for gRPC"))?;
        let runtime = match runtime {
            Some(runtime) => runtime,
            None => {
                let made = Builder::new_current_thread().enable_all().build();
                runtime.insert(made.map_err(|error| on_the_way(client, &error))?)
            }
        };
        let limit = client.prepared.timeout;
        let answered = runtime.block_on(async { timeout(limit, client.call(message)).await });
        match answered {
            Ok(Ok(response)) => response.receipt(&client.prepared),
            Ok(Err(error)) => Err(on_the_way(client, &error)),
            Err(_) => Err(on_the_way(
                client,
                &format_args!("no answer within {limit:?}"),
            )),
        }
    }
}

impl Client {
    async fn call(&mut self, message: Bytes) -> Result<Response, Error> {
        // One that was idle may have been closed by the other side, of which nobody was told.
        if let Some(connection) = self.connection.take()
            && let Ok(response) = self.exchange(connection, message.clone()).await
        {
            return Ok(response);
        }
        let connection = self.connect().await?;
        self.exchange(connection, message).await
    }

    /// Sends a request and reads its response; keeps the connection if that went well.
    async fn exchange(
        &mut self,
        connection: Connection,
        message: Bytes,
    ) -> Result<Response, Error> {
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.prepared.endpoint.uri.clone();
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = self.head.clone();
        let mut sender = connection.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, false)?;
        // It waits in the connection for room at the other side.
        stream.send_data(message, true)?;

        let (head, mut body) = response.await?.into_parts();
        let mut start = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            let room = RESPONSE_BYTES - start.len();
            start.extend_from_slice(data.get(..room).unwrap_or(&data));
        }
        let trailers = body.trailers().await?;
        self.connection = Some(connection);
        Ok(Response {
            http: head.status,
            // Without a body, all that there is comes with the head.
            trailers: trailers.unwrap_or(head.headers),
            body: start,
        })
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let stream = self.reach().await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.prepared.tls {
            let host = self.prepared.endpoint.host.clone();
            let name = tokio_rustls::rustls::pki_types::ServerName::try_from(host)
                .map_err(|error| Error::other(error.to_string()))?;
            let connector = tokio_rustls::TlsConnector::from(tls.for_http2());
            let stream = connector.connect(name, stream).await?;
            let protocol = stream.get_ref().1.alpn_protocol();
            if protocol != Some(b"h2") {
                return Err(Error::other("the other side does not speak HTTP/2"));
            }
            return shake_hands(stream).await;
        }
        shake_hands(stream).await
    }

    /// Tries the host's addresses in turn, each for its share of the time.
    async fn reach(&self) -> Result<TcpStream, Error> {
        let endpoint = &self.prepared.endpoint;
        let addresses = lookup_host((&*endpoint.host, endpoint.port)).await?;
        let addresses: Vec<_> = addresses.collect();
        let share = share(self.prepared.timeout, addresses.len());
        let mut last = Error::other("the host has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.into(),
                Err(_) => last = Error::other(format!("{address} does not answer")),
            }
        }
        Err(last)
    }
}

fn share(whole: Duration, parts: usize) -> Duration {
    whole / u32::try_from(parts).unwrap_or(u32::MAX).max(1)
}

async fn shake_hands<S>(stream: S) -> Result<Connection, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .handshake(stream)
        .await?;
    // Its error is also that of the request in it.
    let task = tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(Connection {
        sender,
        task: task.abort_handle(),
    })
}

/// The request as gRPC's message.
fn framed(request: &[u8], is_compressed: bool) -> Option<Bytes> {
    let length = u32::try_from(request.len()).ok()?;
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + request.len());
    message.put_u8(is_compressed.into());
    message.put_u32(length);
    message.put_slice(request);
    Some(message.freeze())
}

struct Response {
    http: StatusCode,
    /// Where gRPC's status is.
    trailers: HeaderMap,
    /// The first part of it.
    body: Vec<u8>,
}

impl Response {
    fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.get(name)?.to_str().ok()
    }

    fn receipt(&self, prepared: &Prepared) -> Result<Receipt, Failure> {
        let code = match self.trailer("grpc-status").map(str::parse) {
            Some(Ok(code)) => Code(code),
            Some(Err(_)) => Code::UNKNOWN,
            None => Code::of_http(self.http),
        };
        if code == Code::OK {
            // Nothing asked for a compressed response, so none comes.
            let message = self.body.get(PREFIX_BYTES..).unwrap_or_default();
            return Ok(answer::receipt(message));
        }
        let details = self.trailer("grpc-status-details-bin").and_then(base64);
        let details = answer::details(&details.unwrap_or_default());
        let message = self.trailer("grpc-message").unwrap_or_default();
        let message = crate::env::decode(message).unwrap_or_else(|| message.to_owned());
        let message = answer::shortened(&message);
        let endpoint = &prepared.endpoint;
        Err(Failure {
            is_retry: code.is_retry(details.after.is_some()),
            after: details.after,
            source: match (&*message, self.trailers.contains_key("grpc-status")) {
                (_, false) => format!("{endpoint}: no gRPC, but HTTP status {}", self.http),
                ("", true) => format!("{endpoint}: gRPC status {code}"),
                (message, true) => format!("{endpoint}: gRPC status {code}: {message}"),
            }
            .into(),
        })
    }
}

/// A status of gRPC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Code(u32);

impl Code {
    const OK: Self = Self(0);
    const UNKNOWN: Self = Self(2);
    const RESOURCE_EXHAUSTED: Self = Self(8);

    /// gRPC's "HTTP to gRPC Status Code Mapping", for a response that is not gRPC's.
    fn of_http(status: StatusCode) -> Self {
        Self(match status.as_u16() {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502 | 503 | 504 => 14,
            _ => return Self::UNKNOWN,
        })
    }

    /// OTLP specification, "Failures" of OTLP/gRPC: whether a later try may succeed.
    fn is_retry(self, has_delay: bool) -> bool {
        match self {
            // The server can recover only if it says when.
            Self::RESOURCE_EXHAUSTED => has_delay,
            Self(code) => matches!(code, 1 | 4 | 10 | 11 | 14 | 15),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 17] = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        match NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// Decodes base64, with padding or without; `None` for what is none.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// What went wrong on the way.
#[derive(Debug)]
struct Error(String);

impl Error {
    fn other(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        use h2::Reason;

        // What HTTP/1 looks like if it is read as HTTP/2.
        let is_other = matches!(
            error.reason(),
            Some(Reason::FRAME_SIZE_ERROR | Reason::PROTOCOL_ERROR | Reason::HTTP_1_1_REQUIRED)
        );
        match is_other {
            true => Self(format!(
                "{error}; does OTLP over gRPC come in at this port (4317 by default; HTTP's is 4318)?"
            )),
            false => Self(error.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_with_padding_and_without() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("TQ", b"M"),
            ("TQ==", b"M"),
            ("TWE=", b"Ma"),
            ("TWFu", b"Man"),
            ("+/-_", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(base64("T*"), None);
    }

    #[test]
    fn codes_are_retried_as_the_specification_says() {
        let retried: Vec<_> = (0..17).filter(|code| Code(*code).is_retry(false)).collect();
        assert_eq!(retried, [1, 4, 10, 11, 14, 15]);
        assert!(Code::RESOURCE_EXHAUSTED.is_retry(true));
        assert!(!Code::UNKNOWN.is_retry(true));
    }
}
