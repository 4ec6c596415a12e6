//! A small blocking HTTP/2 client: `h2` on a thread of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Version};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::client::{PATIENCE, Response};

/// One connection, with prior knowledge that the server speaks HTTP/2.
#[derive(Debug)]
pub struct Http2 {
    requests: SendRequest<Bytes>,
    waiting: Waiting,
    local: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Http2 {
    /// Opens a connection.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[must_use]
    pub fn open(address: SocketAddr) -> Self {
        Self::connect(address, PATIENCE, false)
    }

    /// Connects to a server that may not speak HTTP/2: it may send something else, close the connection, or send nothing.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[must_use]
    pub fn probe(address: SocketAddr) -> Self {
        Self::connect(address, Duration::from_secs(1), true)
    }

    fn connect(address: SocketAddr, patience: Duration, may_be_silent: bool) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let handle = runtime.handle().clone();
        let (connection, requests, local) = runtime.block_on(async {
            let stream = TcpStream::connect(address)
                .await
                .expect("the server listens");
            let local = stream.local_addr().expect("the connection stands");
            let (requests, connection) = h2::client::handshake(stream)
                .await
                .expect("the connection stands");
            (connection, requests, local)
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                // How it ends is what the requests say.
                tokio::spawn(connection);
                let _ = stopped.await;
            });
        });
        Self {
            requests,
            waiting: Waiting {
                runtime: handle,
                patience,
                may_be_silent,
            },
            local,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns the address of this end.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends a request without a body, on a stream of its own; `None` if the server does not speak HTTP/2.
    ///
    /// A path is asked for at `http://test.example`; a whole URL is sent as it is.
    ///
    /// # Panics
    ///
    /// If the request is none.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Option<Exchange> {
        let url = match path.starts_with('/') {
            true => format!("http://test.example{path}"),
            false => path.to_owned(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .version(Version::HTTP_2);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let ready = self.requests.clone().ready();
        let mut requests = self.waiting.wait(ready)?;
        let (response, stream) = requests.send_request(request, true).ok()?;
        Some(Exchange {
            waiting: self.waiting.clone(),
            state: State::Waiting(response),
            stream,
        })
    }

    /// The whole response to a `GET`; `None` if there is none.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Option<Response> {
        self.request("GET", path, headers)?.response()
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has failed the case already.
            let _ = thread.join();
        }
    }
}

/// One request and its response.
#[derive(Debug)]
pub struct Exchange {
    waiting: Waiting,
    state: State,
    stream: SendStream<Bytes>,
}

#[derive(Debug)]
enum State {
    Waiting(ResponseFuture),
    Body(RecvStream),
}

impl Exchange {
    /// Waits for the response's head; `None` if the stream ends without one.
    ///
    /// # Panics
    ///
    /// If it has been read already.
    pub fn head(&mut self) -> Option<Response> {
        let State::Waiting(response) = &mut self.state else {
            panic!("the head has been read");
        };
        let (head, body) = self.waiting.wait(response)?.into_parts();
        self.state = State::Body(body);
        Some(Response {
            status: head.status.as_u16(),
            headers: texts(&head.headers),
            ..Response::default()
        })
    }

    /// Reads one frame of the body; `Some(None)` at its end, `None` if it ends in an error.
    ///
    /// # Panics
    ///
    /// If the head has not been read yet.
    pub fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        let State::Body(body) = &mut self.state else {
            panic!("the head has not been read");
        };
        let frame = self.waiting.wait(async { Ok(body.data().await) })?;
        let Some(frame) = frame else {
            return Some(None);
        };
        let frame: Bytes = frame.ok()?;
        // An error here is one of the connection, which the next frame shows.
        let _ = body.flow_control().release_capacity(frame.len());
        Some(Some(frame.into()))
    }

    /// Reads the whole response; `None` if there is none, or only a part of it.
    #[must_use]
    pub fn response(mut self) -> Option<Response> {
        let mut response = self.head()?;
        while let Some(chunk) = self.chunk()? {
            response.body.extend(chunk);
        }
        let State::Body(mut body) = self.state else {
            return None;
        };
        if let Some(trailers) = self.waiting.wait(body.trailers())? {
            response.trailers = texts(&trailers);
        }
        Some(response)
    }

    /// Takes the request back.
    pub fn reset(mut self) {
        self.stream.send_reset(Reason::CANCEL);
    }
}

/// How a connection waits.
#[derive(Debug, Clone)]
struct Waiting {
    runtime: Handle,
    patience: Duration,
    /// Whether a server that sends nothing is expected.
    may_be_silent: bool,
}

impl Waiting {
    /// Waits for something of HTTP/2; `None` if it fails.
    fn wait<T>(&self, future: impl Future<Output = Result<T, h2::Error>>) -> Option<T> {
        let timeout = async { tokio::time::timeout(self.patience, future).await };
        match self.runtime.block_on(timeout) {
            // A case that expected something else shows it.
            Ok(result) => result
                .inspect_err(|error| println!("HTTP/2: {error:?}"))
                .ok(),
            Err(_) if self.may_be_silent => None,
            Err(_) => panic!("the server does not answer within {:?}", self.patience),
        }
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}
