//! A collector for tests: decodes requests with OpenTelemetry's own generated code, and responds as the test specifies.

#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod tls;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver as Calls, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::SOON;
pub(crate) use tls::Authority;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    /// In lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// As many as were sent.
    pub(crate) bytes: usize,
    /// As many as there are without compression.
    pub(crate) plain_bytes: usize,
    pub(crate) request: ExportTraceServiceRequest,
    /// The local port of the connection.
    pub(crate) connection: u16,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.request.resource_spans.iter();
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name).collect()
    }

    fn new(
        path: &str,
        headers: Vec<(String, String)>,
        body: &[u8],
        is_compressed: bool,
        connection: u16,
    ) -> Self {
        let mut plain = Vec::new();
        match is_compressed {
            true => {
                let mut decoder = flate2::read::GzDecoder::new(body);
                decoder.read_to_end(&mut plain).unwrap();
            }
            false => plain = body.to_vec(),
        }
        Self {
            path: path.to_owned(),
            headers,
            bytes: body.len(),
            plain_bytes: plain.len(),
            request: ExportTraceServiceRequest::decode(&*plain).unwrap(),
            connection,
        }
    }
}

/// The response of a collector.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Taken,
    /// Some spans were refused, or there is a warning.
    Partly(i64, &'static str),
    /// A status of HTTP's, headers and a body.
    Http(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A status of gRPC's, its message and its details.
    Grpc(u32, &'static str, Vec<u8>),
    /// The connection is closed.
    HangUp,
    /// There is no response as long as the collector runs.
    Silence,
}

impl Reply {
    fn response(&self) -> Vec<u8> {
        let partial_success = match self {
            Self::Partly(refused, message) => Some(ExportTracePartialSuccess {
                rejected_spans: *refused,
                error_message: (*message).to_owned(),
            }),
            _ => None,
        };
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }
}

type Decide = dyn FnMut(&Call) -> Reply + Send;

/// The state that the threads of a collector share.
pub(crate) struct Shared {
    decide: Mutex<Box<Decide>>,
    calls: Sender<Call>,
}

impl Shared {
    /// Stores the call, and returns the response.
    fn take(&self, call: Call) -> Reply {
        let mut decide = self.decide.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = decide(&call);
        self.calls.send(call).unwrap_or_default();
        reply
    }
}

/// How a collector is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Http,
    #[cfg(feature = "grpc")]
    Grpc,
}

/// All protocols of this build.
pub(crate) const WIRES: &[Wire] = &[
    Wire::Http,
    #[cfg(feature = "grpc")]
    Wire::Grpc,
];

/// A collector that runs until it is dropped.
pub(crate) struct Receiver {
    pub(crate) wire: Wire,
    address: SocketAddr,
    is_tls: bool,
    calls: Calls<Call>,
    _server: Box<dyn Send>,
}

impl Receiver {
    pub(crate) fn start(wire: Wire) -> Self {
        Self::start_at(wire, own_address(), |_| Reply::Taken)
    }

    pub(crate) fn responding(
        wire: Wire,
        decide: impl FnMut(&Call) -> Reply + Send + 'static,
    ) -> Self {
        Self::start_at(wire, own_address(), decide)
    }

    pub(crate) fn start_at(
        wire: Wire,
        address: SocketAddr,
        decide: impl FnMut(&Call) -> Reply + Send + 'static,
    ) -> Self {
        Self::open(wire, address, None, decide)
    }

    pub(crate) fn encrypted(wire: Wire, authority: &Authority, with_client: bool) -> Self {
        let config = authority.server(with_client);
        Self::open(wire, ([127, 0, 0, 1], 0).into(), Some(config), |_| {
            Reply::Taken
        })
    }

    fn open(
        wire: Wire,
        address: SocketAddr,
        tls: Option<rustls::ServerConfig>,
        decide: impl FnMut(&Call) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, calls) = channel();
        let shared = Arc::new(Shared {
            decide: Mutex::new(Box::new(decide)),
            calls: sender,
        });
        let is_tls = tls.is_some();
        let server: Box<dyn Send> = match wire {
            Wire::Http => Box::new(http::Server::start(listener, shared, tls)),
            #[cfg(feature = "grpc")]
            Wire::Grpc => Box::new(grpc::Server::start(listener, shared, tls)),
        };
        Self {
            wire,
            address,
            is_tls,
            calls,
            _server: server,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        match self.is_tls {
            true => format!("https://localhost:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    /// The next request.
    pub(crate) fn call(&self) -> Call {
        self.calls.recv_timeout(SOON).expect("a request")
    }

    /// The one span of the next request.
    pub(crate) fn span(&self) -> Span {
        let mut spans = self.call().spans();
        assert_eq!(spans.len(), 1);
        spans.remove(0)
    }

    /// The names of the next so many spans.
    pub(crate) fn names(&self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            names.extend(self.call().names());
        }
        names
    }

    /// Returns the requests that no test has read.
    pub(crate) fn rest(&self) -> Vec<Call> {
        self.calls.try_iter().collect()
    }
}

/// A port on an address that only this test uses, if the system supports that: it can be closed and opened again.
pub(crate) fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    match cfg!(target_os = "linux") {
        true => ([127, 7, high, low], 0).into(),
        false => ([127, 0, 0, 1], 0).into(),
    }
}

/// Returns a port on which nothing listens.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(own_address()).unwrap();
    listener.local_addr().unwrap()
}
