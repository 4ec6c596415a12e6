//! The driver's HTTP clients.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use socket2::SockRef;
use ureq::Agent;

use crate::upstream::Headers;

/// Maximum time of a response.
const PATIENCE: Duration = Duration::from_secs(15);

/// A service's response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// An ordinary client. It closes each connection, so that a service that is to stop does not wait for another request.
#[derive(Debug)]
pub(crate) struct Http(Agent);

impl Http {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(0)
            .timeout_global(Some(PATIENCE))
            .build();
        Self(config.into())
    }

    /// Calls with these headers.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no complete response.
    pub(crate) fn get(&self, url: &str, headers: &Headers) -> Result<Answer, ureq::Error> {
        let request = headers
            .iter()
            .fold(self.0.get(url), |request, (name, value)| {
                request.header(name, value)
            });
        let mut response = request.call()?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: response.body_mut().read_to_string()?,
        })
    }
}

/// Returns a path with query parameters, each value encoded.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query: Vec<_> = query
        .iter()
        .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    format!("{path}?{}", query.join("&"))
}

/// A client that leaves before the response.
#[derive(Debug)]
pub(crate) struct Leaver(TcpStream);

impl Leaver {
    /// Sends a complete request.
    pub(crate) fn send(address: SocketAddr, path: &str, headers: &Headers) -> io::Result<Self> {
        let mut connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        connection.write_all(request.as_bytes())?;
        Ok(Self(connection))
    }

    /// Closes its half of the connection, like a client that hangs up.
    pub(crate) fn hang_up(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// Waits until the server closes the other half; returns what it has sent until then.
    pub(crate) fn wait_for_close(mut self) -> io::Result<String> {
        let mut answer = Vec::new();
        match self.0.read_to_end(&mut answer) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    /// Resets the connection, like a client that was killed.
    pub(crate) fn reset(self) -> io::Result<()> {
        // Closing a socket that does not linger sends a reset.
        SockRef::from(&self.0).set_linger(Some(Duration::ZERO))
    }
}
