//! OTLP over HTTP, encoded as protobuf (OTLP specification, "OTLP/HTTP").

use std::io::Read;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use ureq::Agent;

use crate::transport::{
    Failure, Prepared, RESPONSE_BYTES, Receipt, Transport, USER_AGENT, compress, response,
};

const PROTOBUF: &str = "application/x-protobuf";

pub(crate) struct Http {
    agent: Agent,
    prepared: Prepared,
}

impl Http {
    pub(crate) fn new(prepared: Prepared) -> Self {
        let config = Agent::config_builder()
            // This file handles the status.
            .http_status_as_error(false)
            // A redirected POST would become a GET, or its headers would go to another host.
            .max_redirects(0)
            .user_agent(USER_AGENT)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .timeout_global(Some(prepared.timeout));
        #[cfg(feature = "tls")]
        let config = match &prepared.tls {
            Some(tls) => config.tls_config(tls.for_ureq()),
            None => config,
        };
        Self {
            agent: config.build().new_agent(),
            prepared,
        }
    }

    fn exchange(&self, request: &[u8]) -> Result<Response, ureq::Error> {
        let mut call = self
            .agent
            .post(&self.prepared.endpoint.uri)
            .header(header::CONTENT_TYPE, PROTOBUF);
        if self.prepared.is_compressed {
            call = call.header(header::CONTENT_ENCODING, "gzip");
        }
        for (name, value) in &self.prepared.headers {
            call = call.header(name, value);
        }
        let (head, mut body) = call.send(request)?.into_parts();
        let mut start = Vec::new();
        let reader = body.as_reader();
        reader.take(RESPONSE_BYTES as u64).read_to_end(&mut start)?;
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: start,
        })
    }
}

impl Transport for Http {
    fn send(&mut self, request: Vec<u8>) -> Result<Receipt, Failure> {
        let on_the_way =
            |error: &dyn std::fmt::Display| Failure::on_the_way(&self.prepared.endpoint, error);
        let request = match self.prepared.is_compressed {
            true => compress(&request).map_err(|error| on_the_way(&error))?,
            false => request,
        };
        let response = self.exchange(&request).map_err(|error| match &error {
            ureq::Error::Protocol(_) => on_the_way(&format_args!(
                "{error}; does this port accept OTLP over HTTP (4318 by default; gRPC's is 4317)?"
            )),
            _ => on_the_way(&error),
        })?;
        if response.status.is_success() {
            return Ok(response.receipt());
        }
        let (message, after) = response.reason();
        let (endpoint, status) = (&self.prepared.endpoint, response.status);
        Err(Failure {
            is_retry: matches!(status.as_u16(), 429 | 502 | 503 | 504),
            after,
            source: match message.is_empty() {
                true => format!("{endpoint}: {status}"),
                false => format!("{endpoint}: {status}: {message}"),
            }
            .into(),
        })
    }
}

struct Response {
    status: StatusCode,
    headers: HeaderMap,
    /// The first part of the body.
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn is_protobuf(&self) -> bool {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or_default();
        kind.trim_start().starts_with(PROTOBUF)
    }

    fn receipt(&self) -> Receipt {
        match self.is_protobuf() {
            true => response::receipt(&self.body),
            false => Receipt::default(),
        }
    }

    /// Returns the response's message, and the pause that it requests.
    fn reason(&self) -> (String, Option<Duration>) {
        let details = match self.is_protobuf() {
            true => response::details(&self.body),
            false => response::Details {
                message: response::shortened(&String::from_utf8_lossy(&self.body)),
                after: None,
            },
        };
        let message = match self.header(header::LOCATION) {
            Some(location) if self.status.is_redirection() => {
                let location = response::shortened(location);
                format!("redirects are not followed; set the endpoint to what is at {location}")
            }
            _ => details.message,
        };
        (message, self.retry_after().or(details.after))
    }

    /// Returns the delay of `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
    fn retry_after(&self) -> Option<Duration> {
        let value = self.header(header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    }
}
