//! Queries traces.

use std::net::SocketAddr;
use std::time::Duration;

use ureq::Agent;
use xtask_collector::TraceId;

use crate::response::{Received, read};

/// The text on the page of a Jaeger without user interface, such as one that is built from its Go module.
const NO_INTERFACE: &str = "not compiled with the UI assets";

/// A client of the query API, version 3.
#[derive(Debug)]
pub struct Query {
    agent: Agent,
    address: SocketAddr,
}

impl Query {
    /// Creates a client of the query API at this address.
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

    /// Returns the spans of a trace as they are stored, without Jaeger's additions for display.
    ///
    /// # Errors
    ///
    /// Returns an error if Jaeger does not respond, or if the response is not a trace.
    pub fn trace(&self, trace_id: TraceId) -> Result<Vec<Received>, String> {
        self.ask(&format!("/api/v3/traces/{trace_id}?raw_traces=true"))
    }

    /// Returns the spans of at most `limit` of the latest traces in which a service took part, including those of other
    /// services.
    ///
    /// The name of the service consists of letters, digits and hyphens.
    ///
    /// # Errors
    ///
    /// The same as those of [`trace`](Self::trace).
    pub fn latest(&self, service: &str, traces: usize) -> Result<Vec<Received>, String> {
        self.ask(&format!(
            "{}&query.raw_traces=true",
            latest(service, traces)
        ))
    }

    /// Returns the address of a page with the latest traces of a service: in the user interface, or as JSON if there is
    /// none.
    #[must_use]
    pub fn page(&self, service: &str, traces: usize) -> String {
        let path = match self.has_interface() {
            Ok(true) => format!("/search?service={service}&limit={traces}"),
            _ => latest(service, traces),
        };
        format!("http://{}{path}", self.address)
    }

    /// Returns `true` if Jaeger has a user interface. One that was built from its Go module has none.
    ///
    /// # Errors
    ///
    /// Returns an error if Jaeger does not respond.
    pub fn has_interface(&self) -> Result<bool, String> {
        let (status, page) = self.get("/")?;
        Ok(status == 200 && !page.contains(NO_INTERFACE))
    }

    fn ask(&self, path: &str) -> Result<Vec<Received>, String> {
        match self.get(path)? {
            (200, body) => {
                read(&body).map_err(|error| format!("Jaeger's response to {path}: {error}"))
            }
            (404, _) => Ok(Vec::new()),
            (status, body) => Err(format!(
                "Jaeger's response to {path} has status {status}: {body}"
            )),
        }
    }

    fn get(&self, path: &str) -> Result<(u16, String), String> {
        let failed = |error| format!("Jaeger does not respond to {path}: {error}");
        let url = format!("http://{}{path}", self.address);
        let mut response = self.agent.get(&url).call().map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30);
        Ok((status, body.read_to_string().map_err(failed)?))
    }
}

/// Jaeger requires a time range, even an unlimited one.
fn latest(service: &str, traces: usize) -> String {
    format!(
        "/api/v3/traces?query.service_name={service}&query.num_traces={traces}\
         &query.start_time_min=1970-01-01T00:00:00Z&query.start_time_max=2200-01-01T00:00:00Z"
    )
}
