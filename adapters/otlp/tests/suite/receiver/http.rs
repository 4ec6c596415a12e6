//! HTTP/1.1, a thread for each connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::{Call, Reply, Shared};

pub(crate) struct Server {
    address: SocketAddr,
    open: Arc<Open>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Open {
    is_over: AtomicBool,
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl Server {
    pub(crate) fn start(
        listener: TcpListener,
        shared: Arc<Shared>,
        tls: Option<rustls::ServerConfig>,
    ) -> Self {
        let (address, open) = (listener.local_addr().unwrap(), Arc::new(Open::default()));
        let tls = tls.map(Arc::new);
        let thread = thread::spawn({
            let open = open.clone();
            move || {
                while let Ok((stream, peer)) = listener.accept() {
                    if open.is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let (shared, tls) = (shared.clone(), tls.clone());
                    let connection = stream.try_clone().unwrap();
                    let thread = thread::spawn(move || {
                        let end = connection.try_clone().unwrap();
                        match tls {
                            None => serve(connection, peer.port(), &shared),
                            Some(config) => {
                                let tls = rustls::ServerConnection::new(config).unwrap();
                                let stream = rustls::StreamOwned::new(tls, connection);
                                serve(stream, peer.port(), &shared);
                            }
                        }
                        end.shutdown(Shutdown::Both).unwrap_or_default();
                    });
                    open.connections.lock().unwrap().push((stream, thread));
                }
            }
        });
        Self {
            address,
            open,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.open.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
        let mut connections = self.open.connections.lock().unwrap();
        for (stream, _) in &*connections {
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
        for (_, thread) in connections.drain(..) {
            thread.join().unwrap_or_default();
        }
    }
}

/// Responds to requests until one side closes the connection.
fn serve(mut stream: impl Read + Write, port: u16, shared: &Shared) {
    let mut buffer = Vec::new();
    while let Some(call) = read(&mut stream, &mut buffer, port) {
        let reply = shared.take(call);
        let (status, headers, body) = match &reply {
            Reply::Taken | Reply::Partly(..) => {
                let kind = ("content-type", "application/x-protobuf".to_owned());
                (200, vec![kind], reply.response())
            }
            Reply::Http(status, headers, body) => (*status, headers.clone(), body.clone()),
            Reply::Grpc(..) => panic!("not over HTTP"),
            Reply::HangUp => return,
            Reply::Silence => {
                // Until the peer hangs up, or the server ends.
                while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
                return;
            }
        };
        let mut head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let response = [head.as_bytes(), b"\r\n", &body].concat();
        if stream
            .write_all(&response)
            .and_then(|()| stream.flush())
            .is_err()
        {
            return;
        }
    }
}

fn read(stream: &mut impl Read, buffer: &mut Vec<u8>, port: u16) -> Option<Call> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(start) = head.parse(buffer).unwrap() {
            let headers = head.headers.iter().map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            });
            let headers: Vec<_> = headers.collect();
            let value = |name| {
                headers
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, v)| &**v)
            };
            assert_eq!(head.method, Some("POST"));
            assert_eq!(value("content-type"), Some("application/x-protobuf"));
            let end = start + value("content-length").unwrap().parse::<usize>().unwrap();
            if buffer.len() >= end {
                let is_compressed = value("content-encoding") == Some("gzip");
                let path = head.path.unwrap().to_owned();
                let body = &buffer[start..end];
                let call = Call::new(&path, headers.clone(), body, is_compressed, port);
                buffer.drain(..end);
                return Some(call);
            }
        }
        let mut more = [0; 64 * 1024];
        match stream.read(&mut more) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&more[..count]),
        }
    }
}
