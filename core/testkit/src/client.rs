//! A small HTTP/1.1 client, by hand: it can send what is malformed, hang up in the middle and read slowly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer than this, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// A response, its body taken out of its framing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers with lower-case names, in the order of their coming.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[must_use]
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        stream.set_nodelay(true).expect("delays can be turned off");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// This end's address.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.stream
            .get_ref()
            .local_addr()
            .expect("the connection stands")
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream
            .get_mut()
            .write_all(bytes)
            .expect("the connection stands");
    }

    /// Sends a request without a body.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test.example\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes());
    }

    /// Reads the response to a request of this method; `None` if the server closes the connection instead.
    pub fn response(&mut self, method: &str) -> Option<Response> {
        let mut response = self.head()?;
        let length = response
            .header("content-length")
            .and_then(|length| length.parse().ok());
        let chunked = response.header("transfer-encoding") == Some("chunked");
        if method == "HEAD" || matches!(response.status, 100..200 | 204 | 304) {
            return Some(response);
        }
        if chunked {
            while let Some(chunk) = self.chunk()? {
                response.body.extend(chunk);
            }
        } else if let Some(length) = length {
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).ok()?;
            response.body = body;
        } else {
            self.stream.read_to_end(&mut response.body).ok()?;
        }
        Some(response)
    }

    /// Reads a response's head.
    pub fn head(&mut self) -> Option<Response> {
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Reads one chunk of a chunked body; `Some(None)` for the last.
    pub fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        let size = usize::from_str_radix(&self.line()?, 16).ok()?;
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk).ok()?;
        self.line()?;
        Some((size > 0).then_some(chunk))
    }

    /// Closes the connection both ways.
    pub fn hang_up(self) {
        // The server may have been quicker.
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(0) | Err(_) => None,
        }
    }
}
