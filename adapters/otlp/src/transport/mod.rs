//! Transports of requests to the collector.

#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "http")]
mod http;
mod response;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use ::http::HeaderMap;
use opentracing_http::ConfigError;

use crate::builder::{Compression, Protocol};
use crate::endpoint::Endpoint;
use crate::tls::{self, TlsFiles};

/// Headers that the protocols set.
pub(crate) const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-encoding",
    "grpc-timeout",
    "host",
    "te",
    "transfer-encoding",
];

/// The header `User-Agent` (OpenTelemetry specification, "OTLP exporter", "User agent").
const USER_AGENT: &str = concat!(
    "OTel-OTLP-Exporter-Rust/",
    env!("CARGO_PKG_VERSION"),
    " ",
    env!("CARGO_PKG_NAME")
);

/// How many bytes of a response are read at most.
const RESPONSE_BYTES: usize = 64 * 1024;

/// Sends requests one at a time, on the reporting thread.
pub(crate) trait Transport: Send {
    /// Sends an `ExportTraceServiceRequest` and waits for its response until the timeout.
    fn send(&mut self, request: Vec<u8>) -> Result<Receipt, Failure>;
}

/// The collector's response to a request that it accepted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Number of spans that it refused anyway.
    pub(crate) refused: u64,
    /// The reason, or a warning.
    pub(crate) message: String,
}

/// Why a request was not accepted.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Whether a retry may succeed.
    pub(crate) is_retry: bool,
    /// The delay that the collector requests.
    pub(crate) after: Option<Duration>,
    pub(crate) source: Box<dyn Error + Send + Sync>,
}

/// The options of a transport, with their names for errors.
pub(crate) struct Settings {
    pub(crate) protocol: Protocol,
    pub(crate) protocol_option: Cow<'static, str>,
    pub(crate) endpoint: Endpoint,
    pub(crate) endpoint_option: Cow<'static, str>,
    pub(crate) headers: HeaderMap,
    pub(crate) compression: Compression,
    pub(crate) compression_option: Cow<'static, str>,
    pub(crate) timeout: Duration,
    pub(crate) tls: TlsFiles,
}

/// The checked options of a transport.
pub(crate) struct Prepared {
    endpoint: Endpoint,
    headers: HeaderMap,
    is_compressed: bool,
    timeout: Duration,
    /// `None` without encryption.
    tls: Option<tls::Tls>,
}

/// Creates the transport, or returns an error that names a missing feature.
pub(crate) fn open(settings: Settings) -> Result<Box<dyn Transport>, ConfigError> {
    let (protocol, protocol_option) = (settings.protocol, settings.protocol_option);
    let missing = |feature: &str, instead: &str| {
        let remedy = format!(
            "the crate `opentracing-otlp` is built without its feature `{feature}`; turn it on, or {instead}"
        );
        ConfigError::new(protocol_option.clone(), remedy)
    };
    match protocol {
        Protocol::HttpProtobuf if !cfg!(feature = "http") => {
            return Err(missing("http", "choose gRPC"));
        }
        Protocol::Grpc if !cfg!(feature = "grpc") => {
            return Err(missing("grpc", "choose `http/protobuf`"));
        }
        Protocol::HttpProtobuf | Protocol::Grpc => {}
    }
    if settings.compression == Compression::Gzip && !cfg!(feature = "gzip") {
        return Err(ConfigError::new(
            settings.compression_option,
            "the crate `opentracing-otlp` is built without its feature `gzip`; turn it on, or leave requests as they are",
        ));
    }
    let tls = match settings.endpoint.is_tls {
        true => Some(tls::Tls::new(settings.tls, &settings.endpoint_option)?),
        false => None,
    };
    let prepared = Prepared {
        endpoint: settings.endpoint,
        headers: settings.headers,
        is_compressed: settings.compression == Compression::Gzip,
        timeout: settings.timeout,
        tls,
    };
    match protocol {
        #[cfg(feature = "http")]
        Protocol::HttpProtobuf => Ok(Box::new(http::Http::new(prepared))),
        #[cfg(feature = "grpc")]
        Protocol::Grpc => Ok(Box::new(grpc::Grpc::new(prepared))),
        #[cfg(not(all(feature = "http", feature = "grpc")))]
        _ => {
            drop(prepared);
            Err(missing("http", "turn `grpc` on"))
        }
    }
}

impl Failure {
    /// Creates a failure of the connection: the collector may be available later.
    fn on_the_way(endpoint: &Endpoint, error: impl fmt::Display) -> Self {
        Self {
            is_retry: true,
            after: None,
            source: format!("{endpoint}: {error}").into(),
        }
    }
}

/// Compresses a request for HTTP; for gRPC tonic does that.
fn compress(request: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    #[cfg(feature = "gzip")]
    {
        use std::io::Write;
        let packed = Vec::with_capacity(request.len() / 4);
        let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        encoder.write_all(request)?;
        encoder.finish()
    }
    #[cfg(not(feature = "gzip"))]
    Ok(request.to_vec())
}
