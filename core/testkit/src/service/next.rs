//! The service that the one under test calls: the case itself, on a socket of its own.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use opentracing_http::SpanContext;
use opentracing_http::propagation::Propagation;

use crate::client::TIME_TO_CANCEL;
use crate::service::PATIENCE;

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Next {
    addr: SocketAddr,
    connections: Receiver<TcpStream>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A call that waits for its response.
#[derive(Debug)]
pub(crate) struct Call {
    stream: BufReader<TcpStream>,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Next {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let closed = Arc::new(AtomicBool::new(false));
        let (send, connections) = channel();
        let thread = thread::spawn({
            let closed = closed.clone();
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if closed.load(Ordering::SeqCst) || send.send(stream).is_err() {
                        break;
                    }
                }
            }
        });
        Self {
            addr,
            connections,
            closed,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The next call to come.
    pub(crate) fn call(&self) -> Call {
        let stream = self.connections.recv_timeout(PATIENCE);
        let stream = stream.expect("the service calls the URL that it was given");
        Call::read(stream).expect("a request with a head")
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the thread, which sees that it is over.
        let woken = TcpStream::connect(self.addr).is_ok();
        if let (true, Some(thread)) = (woken, self.thread.take()) {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

impl Call {
    fn read(stream: TcpStream) -> Option<Self> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut stream = BufReader::new(stream);
        let path = line(&mut stream)?.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            let line = line(&mut stream)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Self {
            stream,
            path,
            headers,
        })
    }

    /// The span that the call comes from, in whichever format.
    #[track_caller]
    pub(crate) fn context(&self) -> SpanContext {
        let found = Propagation::default().extract(&self.headers).context();
        found.unwrap_or_else(|| panic!("the call has no trace headers: {:?}", self.headers))
    }

    /// Responds with 200.
    pub(crate) fn answer(mut self) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere";
        // Whether anybody still waits for it is the service's business.
        let _ = self.stream.get_mut().write_all(answer);
    }

    /// Waits until the service has given up waiting for the response.
    #[track_caller]
    pub(crate) fn wait_until_given_up(mut self) {
        let limit = Some(TIME_TO_CANCEL);
        let limited = self.stream.get_ref().set_read_timeout(limit);
        limited.expect("a timeout can be set");
        match self.stream.read_to_end(&mut Vec::new()) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!(
                    "{TIME_TO_CANCEL:?} after its client left the handler still waits for the response to its call; \
                     if the service runs it to its end, declare `hang_up: HangUp::RunsOn`"
                )
            }
            // Closed, or reset.
            Ok(_) | Err(_) => {}
        }
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(1..) => Some(line.trim_end().to_owned()),
        Ok(0) | Err(_) => None,
    }
}
