//! The contract that every adapter passes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Router, serve};
use futures_util::stream;
use opentracing_axum::TracingLayer;
use opentracing_testkit::app::{self, App, CHUNKS, Gate};
use opentracing_testkit::server::{Capabilities, HangUp, Panic, Server};
use opentracing_testkit::server_contract;
use tokio::sync::oneshot;

struct AxumServer {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server for AxumServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "axum",
        item: Some("/items/{id}"),
        nested_item: Some("/nested/items/{id}"),
        panic: Panic::ClosesTheConnection,
        hang_up: HangUp::Cancels,
        error_message: false,
        peer: cfg!(feature = "connect-info"),
    };

    fn start(app: App) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let addr = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket for tokio");
                let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
                tokio::select! {
                    served = async { serve(listener, service).await } => served.expect("serving goes on"),
                    _ = stopped => {}
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

impl Drop for AxumServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server stops");
        }
    }
}

fn router(app: App) -> Router {
    let item = get(async |Path(id): Path<String>| id);
    let mut chosen = get(async || "chosen");
    if let Some(tracing) = &app.tracing {
        chosen = chosen.layer(TracingLayer::new(tracing).attributes(app::chosen()));
    }
    let router = Router::new()
        .route("/foo", get(async || "bar"))
        .route("/items/{id}", item.clone())
        .nest("/nested", Router::new().route("/items/{id}", item))
        .route("/inject", get(async || app::injected()))
        .route("/async", get(injected_later))
        .route("/child", get(async || app::child()))
        .route("/baggage", get(set_baggage))
        .route("/badrequest", get(async || StatusCode::BAD_REQUEST))
        .route("/error", get(async || Err::<(), _>(NotReady)))
        .route("/panic", any(panics))
        .route("/stream", get(async || Body::from_stream(chunks())))
        .route("/events", get(events))
        .route("/endless", get(endless))
        .route(
            "/hang",
            get(async |State(gate): State<Gate>| gate.wait().await),
        )
        .route("/empty", get(async || StatusCode::NO_CONTENT))
        .route("/chosen", chosen)
        .route("/untraced", get(async || app::injected()))
        .with_state(app.gate);
    match app.tracing {
        Some(tracing) => router.layer(TracingLayer::new(&tracing)),
        None => router,
    }
}

struct NotReady;

impl IntoResponse for NotReady {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, app::ERROR).into_response()
    }
}

async fn injected_later() -> String {
    app::turn().await;
    app::injected()
}

async fn set_baggage() -> String {
    app::set_baggage();
    app::injected()
}

async fn panics() {
    panic!("as asked for");
}

async fn events() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(chunks()),
    )
}

async fn endless(State(gate): State<Gate>) -> Body {
    let first = stream::once(async { Ok::<_, Infallible>(CHUNKS[0]) });
    let rest = stream::once(async move {
        gate.wait().await;
        Ok(CHUNKS[1])
    });
    Body::from_stream(futures_util::StreamExt::chain(first, rest))
}

fn chunks() -> impl stream::Stream<Item = Result<&'static str, Infallible>> {
    stream::unfold(VecDeque::from(CHUNKS), async |mut rest| {
        let chunk = app::next_chunk(&mut rest).await?;
        Some((Ok(chunk), rest))
    })
}

server_contract!(AxumServer);
