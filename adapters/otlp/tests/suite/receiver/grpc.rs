//! gRPC, on a runtime of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::{Call, Reply, Shared};

pub(crate) struct Server {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(
        listener: TcpListener,
        shared: Arc<Shared>,
        tls: Option<rustls::ServerConfig>,
    ) -> Self {
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, shared, tls) => (),
                    _ = ended => (),
                }
            });
        });
        Self {
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<rustls::ServerConfig>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let tls = tls.map(|mut config| {
        config.alpn_protocols = vec![b"h2".to_vec()];
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    });
    while let Ok((stream, peer)) = listener.accept().await {
        let (shared, tls) = (shared.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, peer.port(), shared).await,
                Some(tls) => {
                    // The client may not like what it sees.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, peer.port(), shared).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, port: u16, shared: Arc<Shared>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    let (hang_up, mut hung_up) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    tokio::spawn(respond_to(request, respond, port, shared.clone(), hang_up.clone()));
                }
                _ => return,
            },
            _ = hung_up.recv() => return,
        }
    }
}

async fn respond_to(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    port: u16,
    shared: Arc<Shared>,
    hang_up: tokio::sync::mpsc::Sender<()>,
) {
    let (head, mut body) = request.into_parts();
    let mut message = Vec::new();
    while let Some(data) = body.data().await {
        let Ok(data) = data else { return };
        body.flow_control().release_capacity(data.len()).unwrap();
        message.extend_from_slice(&data);
    }
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let headers: Vec<_> = headers.collect();
    let value = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, v)| &**v)
    };
    assert_eq!(value("content-type"), Some("application/grpc"));
    assert_eq!(value("te"), Some("trailers"));
    let (prefix, body) = message.split_at(5);
    let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
    assert_eq!(length as usize, body.len());
    let is_compressed = prefix[0] == 1;
    assert_eq!(value("grpc-encoding"), is_compressed.then_some("gzip"));
    let path = head.uri.path();
    let reply = shared.take(Call::new(path, headers.clone(), body, is_compressed, port));
    let head = Response::builder().header("content-type", "application/grpc");
    let trailers = |code: u32| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", code.into());
        trailers
    };
    match &reply {
        Reply::Taken | Reply::Partly(..) => {
            let response = reply.response();
            let mut message = vec![0];
            message.extend((response.len() as u32).to_be_bytes());
            message.extend(response);
            let Ok(mut stream) = respond.send_response(head.body(()).unwrap(), false) else {
                return;
            };
            stream.send_data(message.into(), false).unwrap_or_default();
            stream.send_trailers(trailers(0)).unwrap_or_default();
        }
        Reply::Grpc(code, message, details) => {
            // Everything in the head, as servers do that have no message.
            let mut head = head
                .header("grpc-status", code.to_string())
                .header("grpc-message", message.replace(' ', "%20"));
            if !details.is_empty() {
                head = head.header("grpc-status-details-bin", base64(details));
            }
            respond
                .send_response(head.body(()).unwrap(), true)
                .map(drop)
                .unwrap_or_default();
        }
        Reply::Http(status, headers, body) => {
            let mut head = Response::builder().status(*status);
            for (name, value) in headers {
                head = head.header(*name, value);
            }
            let Ok(mut stream) = respond.send_response(head.body(()).unwrap(), false) else {
                return;
            };
            stream
                .send_data(body.clone().into(), true)
                .unwrap_or_default();
        }
        Reply::HangUp => hang_up.send(()).await.unwrap_or_default(),
        Reply::Silence => std::future::pending().await,
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}
