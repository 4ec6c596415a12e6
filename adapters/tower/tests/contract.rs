//! The contract that every adapter passes, for a plain service under hyper.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentracing_testkit::app::{self, App, CHUNKS};
use opentracing_testkit::server::{Capabilities, HangUp, Panic, Server};
use opentracing_testkit::server_contract;
use opentracing_tower::TracingLayer;
use tokio::sync::oneshot;
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceExt as _};

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Service = BoxCloneService<Request<Incoming>, Response<Body>, NotReady>;

struct HyperServer {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server for HyperServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "tower",
        item: None,
        nested_item: None,
        panic: Panic::ClosesTheConnection,
        hang_up: HangUp::Cancels,
        error_message: false,
        peer: true,
    };

    fn start(app: App) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let addr = listener.local_addr().expect("an address");
        let (stop, mut stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener =
                    tokio::net::TcpListener::from_std(listener).expect("a socket for tokio");
                let service = traced(app);
                loop {
                    let (stream, peer) = tokio::select! {
                        accepted = listener.accept() => accepted.expect("a connection"),
                        _ = &mut stopped => break,
                    };
                    let service =
                        service
                            .clone()
                            .map_request(move |mut request: Request<Incoming>| {
                                request.extensions_mut().insert(peer);
                                request
                            });
                    tokio::spawn(async move {
                        let service = TowerToHyperService::new(service);
                        let builder = Builder::new(TokioExecutor::new());
                        // A client that is gone is no failure of the server's.
                        let _ = builder
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
        });
        Self {
            addr,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for HyperServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server stops");
        }
    }
}

/// tower's error of a service, which a layer outside of the traced one makes a response of.
#[derive(Debug)]
struct NotReady;

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(app::ERROR)
    }
}

impl std::error::Error for NotReady {}

fn traced(app: App) -> Service {
    let inner = {
        let app = app.clone();
        tower::service_fn(move |request| answer(app.clone(), request))
    };
    let Some(tracing) = app.tracing else {
        return BoxCloneService::new(inner);
    };
    let chosen = TracingLayer::new(&tracing)
        .attributes(app::chosen())
        .layer(inner.clone());
    let routed = tower::service_fn(move |request: Request<Incoming>| {
        let (inner, chosen) = (inner.clone(), chosen.clone());
        async move {
            if request.uri().path() == "/chosen" {
                let response = chosen.oneshot(request).await?;
                Ok(response.map(|body| body.boxed_unsync()))
            } else {
                inner.oneshot(request).await
            }
        }
    });
    let service = TracingLayer::new(&tracing).layer(routed);
    BoxCloneService::new(service.map_response(|response| response.map(|body| body.boxed_unsync())))
}

async fn answer(app: App, request: Request<Incoming>) -> Result<Response<Body>, NotReady> {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(status(StatusCode::METHOD_NOT_ALLOWED));
    }
    Ok(match path {
        "/foo" => text("bar"),
        "/inject" | "/untraced" => text(app::injected()),
        "/async" => {
            app::turn().await;
            text(app::injected())
        }
        "/child" => {
            app::child();
            text("")
        }
        "/baggage" => {
            app::set_baggage();
            text(app::injected())
        }
        "/badrequest" => status(StatusCode::BAD_REQUEST),
        "/error" => status(StatusCode::SERVICE_UNAVAILABLE),
        "/panic" => panic!("as asked for"),
        "/stream" => Response::new(chunks()),
        "/events" => {
            let mut response = Response::new(chunks());
            let kind = header::HeaderValue::from_static("text/event-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        "/endless" => {
            let first = stream::once(async { frame(CHUNKS[0]) });
            let rest = stream::once(async move {
                app.gate.wait().await;
                frame(CHUNKS[1])
            });
            Response::new(StreamBody::new(first.chain(rest)).boxed_unsync())
        }
        "/hang" => {
            app.gate.wait().await;
            text("")
        }
        "/empty" => status(StatusCode::NO_CONTENT),
        "/chosen" => text("chosen"),
        _ => match path
            .strip_prefix("/nested")
            .unwrap_or(path)
            .strip_prefix("/items/")
        {
            Some(id) => text(id.to_owned()),
            None => status(StatusCode::NOT_FOUND),
        },
    })
}

fn text(text: impl Into<Bytes>) -> Response<Body> {
    Response::new(Full::new(text.into()).boxed_unsync())
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = text("");
    *response.status_mut() = status;
    response
}

fn frame(chunk: &'static str) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))
}

fn chunks() -> Body {
    let chunks = stream::unfold(VecDeque::from(CHUNKS), async |mut rest| {
        let chunk = app::next_chunk(&mut rest).await?;
        Some((frame(chunk), rest))
    });
    StreamBody::new(chunks).boxed_unsync()
}

server_contract!(HyperServer);
