//! A server on a free port, a client that reads every byte, and a gate that blocks handlers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::web::Data;
use opentracing_actix_web::{HttpTracing, InMemoryTracer};
use opentracing_http::FinishedSpan;
use tokio::sync::Semaphore;

/// The time that a test waits before it fails. Nothing in these tests takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a server with the apps that the closure creates.
macro_rules! serve {
    ($app:expr) => {{
        let app = $app;
        $crate::support::Server::start(move || {
            let server = actix_web::HttpServer::new(app)
                .workers(2)
                .disable_signals()
                .bind(("127.0.0.1", 0))?;
            Ok((server.addrs()[0], server.run()))
        })
    }};
}

pub(crate) fn tracing() -> (InMemoryTracer, HttpTracing) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), HttpTracing::new(tracer))
}

/// Waits for the only span.
pub(crate) fn only(tracer: &InMemoryTracer) -> FinishedSpan {
    let mut spans = tracer.wait_for(1, PATIENCE);
    assert_eq!(spans.len(), 1, "{spans:?}");
    tracer.assert_nothing_unfinished();
    spans.remove(0)
}

pub(crate) fn text(span: &FinishedSpan, key: &str) -> String {
    span.tag(key)
        .map(|value| value.to_string())
        .unwrap_or_default()
}

/// A running server, stopped when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    pub(crate) fn start(
        build: impl FnOnce() -> io::Result<(SocketAddr, actix_web::dev::Server)> + Send + 'static,
    ) -> Self {
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async {
                let (address, server) = build()?;
                let _ = send.send((address, server.handle()));
                server.await
            })
        });
        let (address, handle) = receive.recv().expect("the server starts");
        Self {
            address,
            handle,
            thread: Some(thread),
        }
    }

    /// Begins to stop. Running requests continue; `join` waits for them.
    pub(crate) fn stop_gracefully(&self) {
        // The call itself sends the command; the future only waits until it is done.
        drop(self.handle.stop(true));
    }

    pub(crate) fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic").expect("the server stops");
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends a request with `connection: close`.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
        let mut stream = self.connect();
        stream
            .write_all(request(method, path, headers).as_bytes())
            .expect("the server reads");
        stream
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        Response::read(self.send(method, path, headers)).expect("the server answers")
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(self.handle.stop(false));
            let _ = thread.join();
        }
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: test.example:80\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n"
}

/// A received response.
#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Sorted, because actix-web writes headers in any order.
    pub(crate) headers: Vec<String>,
    /// Not decoded: with the sizes of the chunks, if the body is chunked.
    pub(crate) body: String,
}

impl Response {
    /// Reads to the end of the connection. Returns `None` if there is no response.
    pub(crate) fn read(mut stream: TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        // A response can have arrived before the connection was reset.
        let _ = stream.read_to_end(&mut bytes);
        let response = String::from_utf8(bytes).expect("text");
        let (head, body) = response.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
        let mut headers: Vec<String> = lines.map(str::to_lowercase).collect();
        headers.retain(|header| !header.starts_with("date:"));
        headers.sort();
        Some(Self {
            status,
            headers,
            body: body.to_owned(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self
            .headers
            .iter()
            .filter_map(|header| header.split_once(": "));
        headers
            .find(|header| header.0 == name)
            .map(|header| header.1)
    }
}

/// Blocks handlers until the test lets them continue.
pub(crate) struct Gate {
    arrived: Sender<()>,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> (Data<Self>, Receiver<()>) {
        let (arrived, arrivals) = mpsc::channel();
        let open = Semaphore::new(0);
        (Data::new(Self { arrived, open }), arrivals)
    }

    pub(crate) async fn pass(&self) {
        let _ = self.arrived.send(());
        self.open.acquire().await.expect("the gate stays").forget();
    }

    pub(crate) fn let_one_pass(&self) {
        self.open.add_permits(1);
    }
}
