//! Where a Jaeger listens.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// The addresses of one Jaeger, each of this machine only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The query API and the user interface, over HTTP.
    pub query: SocketAddr,
    /// The query API over gRPC, which nothing here uses: Jaeger insists on it.
    pub query_grpc: SocketAddr,
    /// Whether it is ready, over HTTP.
    pub health: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// Thrift over UDP in the compact protocol, as Jaeger's clients send it to an agent.
    pub udp: SocketAddr,
}

impl Addresses {
    /// Finds ports that are free now, each another one.
    ///
    /// Somebody else may take one before Jaeger does, which [`Jaeger::start`](crate::Jaeger::start) notices.
    ///
    /// # Errors
    ///
    /// When the system has no free port.
    pub fn free() -> io::Result<Self> {
        let any = (Ipv4Addr::LOCALHOST, 0);
        // All are held until the last is found, so that none is found twice.
        let held = [
            TcpListener::bind(any)?,
            TcpListener::bind(any)?,
            TcpListener::bind(any)?,
            TcpListener::bind(any)?,
            TcpListener::bind(any)?,
        ];
        let udp = UdpSocket::bind(any)?;
        let [query, query_grpc, health, otlp_http, otlp_grpc] =
            held.each_ref().map(TcpListener::local_addr);
        Ok(Self {
            query: query?,
            query_grpc: query_grpc?,
            health: health?,
            otlp_http: otlp_http?,
            otlp_grpc: otlp_grpc?,
            udp: udp.local_addr()?,
        })
    }

    /// The variables by which a child process is told of a Jaeger.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 6] {
        let values = [
            self.query,
            self.query_grpc,
            self.health,
            self.otlp_http,
            self.otlp_grpc,
            self.udp,
        ];
        let mut values = values.into_iter();
        // There are as many names as values.
        VARIABLES.map(|name| {
            let value = values.next().map(|address| address.to_string());
            (name, value.unwrap_or_default())
        })
    }

    /// What [`variables`](Self::variables) has told this process; `None` if nothing.
    #[must_use]
    pub fn from_variables() -> Option<Self> {
        let [query, query_grpc, health, otlp_http, otlp_grpc, udp] =
            VARIABLES.map(|name| env::var(name).ok()?.parse().ok());
        Some(Self {
            query: query?,
            query_grpc: query_grpc?,
            health: health?,
            otlp_http: otlp_http?,
            otlp_grpc: otlp_grpc?,
            udp: udp?,
        })
    }
}

const VARIABLES: [&str; 6] = [
    "REAL_JAEGER_QUERY",
    "REAL_JAEGER_QUERY_GRPC",
    "REAL_JAEGER_HEALTH",
    "REAL_JAEGER_OTLP_HTTP",
    "REAL_JAEGER_OTLP_GRPC",
    "REAL_JAEGER_UDP",
];
