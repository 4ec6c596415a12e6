//! The addresses of a Jaeger.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// The addresses of one Jaeger, which are reachable from this machine only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The query API and the user interface, over HTTP.
    pub query: SocketAddr,
    /// The query API over gRPC; not used here, but Jaeger requires it.
    pub query_grpc: SocketAddr,
    /// The health check, over HTTP.
    pub health: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// Thrift over UDP in the compact protocol, as Jaeger's clients send it to an agent.
    pub udp: SocketAddr,
}

impl Addresses {
    /// Finds different free ports.
    ///
    /// Another process may take one before Jaeger does; [`Jaeger::start`](crate::Jaeger::start) detects that.
    ///
    /// # Errors
    ///
    /// Returns an error if the system has no free port.
    pub fn free() -> io::Result<Self> {
        let any = (Ipv4Addr::LOCALHOST, 0);
        // All are bound until the last is found, so that none is found twice.
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

    /// Returns the variables that pass the addresses to a child process.
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

    /// Returns the addresses in the variables of this process; `None` if there are none.
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
