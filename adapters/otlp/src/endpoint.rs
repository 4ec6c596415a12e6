//! The address that requests are sent to.

use std::borrow::Cow;
use std::fmt;

use http::Uri;
use opentracing_http::ConfigError;

use crate::builder::Protocol;

/// The path of traces for OTLP over HTTP, below the base address.
const TRACES_PATH: &str = "/v1/traces";

/// An unchecked address.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) url: String,
    /// The name of its option, for errors.
    pub(crate) option: Cow<'static, str>,
    /// Whether the path of traces has to be added for HTTP.
    pub(crate) is_base: bool,
}

/// A valid address.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) uri: Uri,
    pub(crate) is_tls: bool,
    /// The name or address, an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    /// Parses an address. Without a scheme it means http if `is_insecure`, else https.
    pub(crate) fn new(
        destination: &Destination,
        protocol: Protocol,
        is_insecure: bool,
    ) -> Result<Self, ConfigError> {
        let wrong = |remedy: String| ConfigError::new(destination.option.clone(), remedy);
        let default = match protocol {
            Protocol::HttpProtobuf => "http://localhost:4318",
            Protocol::Grpc => "http://localhost:4317",
        };
        let url = destination.url.trim();
        let url: Cow<'_, str> = match (url.contains("://"), protocol, is_insecure) {
            (true, ..) => url.into(),
            (false, Protocol::Grpc, true) => format!("http://{url}").into(),
            (false, Protocol::Grpc, false) => format!("https://{url}").into(),
            (false, Protocol::HttpProtobuf, _) => {
                return Err(wrong(format!(
                    "`{}` has no scheme; write it like `{default}`",
                    hidden(url)
                )));
            }
        };
        let uri: Uri = url.parse().map_err(|_| {
            wrong(format!(
                "`{}` is not a URL; give one like `{default}`",
                hidden(&url)
            ))
        })?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => {
                return Err(wrong(format!(
                    "the scheme of `{}` is neither `http` nor `https`; give a URL like `{default}`",
                    hidden(&url)
                )));
            }
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(wrong(
                "a user name or password in the URL is not sent; leave it out, and set the header `authorization`"
                    .to_owned(),
            ));
        }
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        // `http` takes an invalid port for no port.
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        let port = match (uri.port_u16(), has_port) {
            (Some(port), _) if port > 0 => port,
            (None, false) if is_tls => 443,
            (None, false) => 80,
            _ => {
                return Err(wrong(format!(
                    "the port of `{url}` is not a number from 1 to 65535; give a URL like `{default}`"
                )));
            }
        };
        if host.is_empty() {
            return Err(wrong(format!(
                "`{url}` names no host; give a URL like `{default}`"
            )));
        }
        let path = path(&uri, destination, protocol).map_err(wrong)?;
        let scheme = if is_tls { "https" } else { "http" };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|_| wrong(format!("`{url}` is not a URL; give one like `{default}`")))?;
        Ok(Self {
            uri,
            is_tls,
            host,
            port,
        })
    }
}

/// Returns the path of requests. The error is a remedy.
fn path(uri: &Uri, destination: &Destination, protocol: Protocol) -> Result<String, String> {
    let (path, query) = (uri.path(), uri.query());
    match protocol {
        Protocol::Grpc if !matches!(path, "" | "/") || query.is_some() => Err(format!(
            "gRPC has a path of its own; leave out `{path}`, or choose the protocol `http/protobuf`"
        )),
        Protocol::Grpc => {
            Ok("/opentelemetry.proto.collector.trace.v1.TraceService/Export".to_owned())
        }
        Protocol::HttpProtobuf => {
            let base = path.trim_end_matches('/');
            if destination.is_base && base.ends_with(TRACES_PATH) {
                return Err(format!(
                    "`{TRACES_PATH}` is added to this address; leave it out, or set the address of traces instead \
                     (`traces_endpoint`, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)"
                ));
            }
            let mut full = match destination.is_base {
                true => format!("{base}{TRACES_PATH}"),
                false if path.is_empty() => "/".to_owned(),
                false => path.to_owned(),
            };
            if let Some(query) = query {
                full.push('?');
                full.push_str(query);
            }
            Ok(full)
        }
    }
}

/// Returns the URL without what may be a password.
fn hidden(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}

impl fmt::Display for Endpoint {
    /// Writes the address without the query, which may contain a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let authority = self
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        write!(f, "{scheme}://{authority}{}", self.uri.path())
    }
}
