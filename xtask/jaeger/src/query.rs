//! Reads traces back.

use std::net::SocketAddr;
use std::time::Duration;

use ureq::Agent;
use xtask_collector::TraceId;

use crate::answer::{Received, read};

/// What the page has instead of the user interface in a Jaeger that was built without it, as one from its Go module is.
const NO_INTERFACE: &str = "not compiled with the UI assets";

/// A client of the query API, version 3.
#[derive(Debug)]
pub struct Query {
    agent: Agent,
    address: SocketAddr,
}

impl Query {
    /// Asks the Jaeger whose query API listens there.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        Self { agent, address }
    }

    /// The spans of a trace that are there now, as they are stored: without what Jaeger adds for people who look at them.
    ///
    /// # Errors
    ///
    /// When Jaeger does not answer, or with something else than a trace.
    pub fn trace(&self, trace_id: TraceId) -> Result<Vec<Received>, String> {
        self.ask(&format!("/api/v3/traces/{trace_id}?raw_traces=true"))
    }

    /// The spans of the latest traces, so many at most, in which a service took part: its own spans, and those of others.
    ///
    /// The name of the service has letters, digits and hyphens only.
    ///
    /// # Errors
    ///
    /// As [`trace`](Self::trace).
    pub fn latest(&self, service: &str, traces: usize) -> Result<Vec<Received>, String> {
        self.ask(&format!(
            "{}&query.raw_traces=true",
            latest(service, traces)
        ))
    }

    /// Where people find the latest traces of a service, so many at most: in the user interface, or as JSON where there is
    /// none.
    #[must_use]
    pub fn page(&self, service: &str, traces: usize) -> String {
        let path = match self.has_interface() {
            Ok(true) => format!("/search?service={service}&limit={traces}"),
            _ => latest(service, traces),
        };
        format!("http://{}{path}", self.address)
    }

    /// Whether a browser sees the user interface. A Jaeger that was built from its Go module has none.
    ///
    /// # Errors
    ///
    /// When Jaeger does not answer.
    pub fn has_interface(&self) -> Result<bool, String> {
        let (status, page) = self.get("/")?;
        Ok(status == 200 && !page.contains(NO_INTERFACE))
    }

    fn ask(&self, path: &str) -> Result<Vec<Received>, String> {
        match self.get(path)? {
            (200, body) => {
                read(&body).map_err(|error| format!("Jaeger's answer to {path}: {error}"))
            }
            (404, _) => Ok(Vec::new()),
            (status, body) => Err(format!(
                "Jaeger's answer to {path} has status {status}: {body}"
            )),
        }
    }

    fn get(&self, path: &str) -> Result<(u16, String), String> {
        let failed = |error| format!("Jaeger does not answer {path}: {error}");
        let url = format!("http://{}{path}", self.address);
        let mut response = self.agent.get(&url).call().map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30);
        Ok((status, body.read_to_string().map_err(failed)?))
    }
}

/// Jaeger asks for a time, even if it is any.
fn latest(service: &str, traces: usize) -> String {
    format!(
        "/api/v3/traces?query.service_name={service}&query.num_traces={traces}\
         &query.start_time_min=1970-01-01T00:00:00Z&query.start_time_max=2200-01-01T00:00:00Z"
    )
}
