//! A small HTTP/1.1 client, by hand: it can send what is malformed, hang up in the middle and read slowly.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::client::{PATIENCE, Response};

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Opens a connection.
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

    /// Returns the address of this end.
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

    /// Sends a request without a body, to the host `test.example` if the headers do not name another.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let host = headers.iter().any(|(name, _)| *name == "host");
        let host = (!host).then_some(("host", "test.example"));
        for (name, value) in host.iter().chain(headers) {
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
            loop {
                let chunk = self.chunk_data()?;
                if chunk.is_empty() {
                    break;
                }
                response.body.extend(chunk);
            }
            response.trailers = self.headers()?;
        } else if let Some(length) = length {
            response.body = self.bytes(length)?;
        } else {
            unless_closed(self.stream.read_to_end(&mut response.body))?;
        }
        Some(response)
    }

    /// Reads a response's head.
    pub fn head(&mut self) -> Option<Response> {
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        Some(Response {
            status,
            headers: self.headers()?,
            ..Response::default()
        })
    }

    /// Reads one chunk of a chunked body; `Some(None)` for the last.
    pub fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        let chunk = self.chunk_data()?;
        if chunk.is_empty() {
            self.headers()?;
            return Some(None);
        }
        Some(Some(chunk))
    }

    /// Reads this many bytes as they are.
    pub fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        unless_closed(self.stream.read_exact(&mut bytes))?;
        Some(bytes)
    }

    /// Closes the connection both ways.
    pub fn hang_up(self) {
        // The server may have been quicker.
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    /// The data of one chunk; nothing for the last, which its trailers follow.
    fn chunk_data(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line()?, 16).ok()?;
        let chunk = self.bytes(size)?;
        if size > 0 {
            self.line()?;
        }
        Some(chunk)
    }

    /// Headers or trailers, up to the empty line.
    fn headers(&mut self) -> Option<Vec<(String, String)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(headers);
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = unless_closed(self.stream.read_line(&mut line))?;
        (read > 0).then(|| line.trim_end().to_owned())
    }
}

/// What was read; `None` if the connection is gone.
fn unless_closed<T>(read: io::Result<T>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the server neither goes on nor closes the connection within {PATIENCE:?}")
        }
        Err(_) => None,
    }
}
