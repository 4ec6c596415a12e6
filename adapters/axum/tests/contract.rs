//! The contract that every adapter passes.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router, serve};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use opentracing_axum::{CurrentSpan, LocalAddr, Span, SpanEnd, TracingLayer};
use opentracing_testkit::app::{self, App, Chunks, Position, Reply};
use opentracing_testkit::server::{Capabilities, Feature, Running, Server, Task};
use opentracing_testkit::server_contract;
use tower_http::catch_panic::CatchPanicLayer;

struct AxumServer(Running);

impl Server for AxumServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "axum",
        lacks: &[
            (
                Feature::UnmatchedRoute,
                "A request has no `MatchedPath` if no route matches, but also in a layer outside of the routing.",
            ),
            (
                Feature::DecliningRoutes,
                "The router finds one route by its path, and never goes on to another.",
            ),
            (
                Feature::ErrorMessage,
                "A handler's error becomes a response by `IntoResponse`, and leaves nothing but that.",
            ),
            (
                Feature::HandlerError,
                "Handlers and routers are infallible: an error is a response before the tracing sees it.",
            ),
            #[cfg(not(feature = "connect-info"))]
            (
                Feature::Peer,
                "The feature `connect-info`, with which the address is asked for, is off.",
            ),
        ],
        ..Capabilities::ALL
    };

    fn start(app: App) -> Self {
        Self(Running::tokio(async |listener| {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket for tokio");
            let local = listener.local_addr().expect("an address");
            let router = router(app).layer(Extension(LocalAddr(local)));
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            serve(listener, service).await.expect("serving goes on");
        }))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }
}

fn router(app: App) -> Router {
    let item = get(async |Path(id): Path<String>| id);
    let mut chosen = get(play);
    if let Some(tracing) = app.mount_points() {
        chosen = chosen.layer(TracingLayer::new(
            tracing.mount_point().attributes(app::chosen()),
        ));
    }
    let mut named = get(play);
    if let Some(tracing) = app.mount_points() {
        named = named.layer(TracingLayer::new(
            tracing.mount_point().name(app::NAMED).ends(SpanEnd::Head),
        ));
    }
    let mut scope = Router::new().route("/chosen", chosen.clone());
    if let Some(tracing) = app.mount_points() {
        scope = scope.layer(TracingLayer::new(
            tracing.mount_point().attributes(app::chosen_by_scope()),
        ));
    }
    let mut router = Router::new()
        .route("/", any(play))
        .route("/play", any(play))
        .route("/items/{id}", item.clone())
        .nest("/nested", Router::new().route("/items/{id}", item.clone()))
        .route(
            "/extracted",
            get(async |span: CurrentSpan| app::injected_by(&span)),
        )
        .route("/echo", post(async |body: Bytes| body))
        .route("/error", get(async || NotReady))
        .route("/failed", get(async || NotReady))
        .nest_service("/rewritten", Router::new().layer(map_response(to_teapot)))
        .route("/declined/{id}", item)
        .route("/upgrade", get(upgrade))
        .route("/chosen", chosen)
        .route("/named", named)
        .nest("/scope", scope)
        .layer(from_fn_with_state(
            (app.clone(), Position::Inside),
            middleware,
        ));
    if let Some(tracing) = app.everywhere() {
        router = router.layer(TracingLayer::new(tracing));
    }
    router = router.layer(from_fn_with_state(
        (app.clone(), Position::Outside),
        middleware,
    ));
    if app.catches_panics() {
        router = router.layer(CatchPanicLayer::new());
    }
    router.with_state(app)
}

async fn play(State(app): State<App>, uri: Uri) -> Response {
    response(app.play(uri.query().unwrap_or_default()).await)
}

async fn middleware(
    State((app, position)): State<(App, Position)>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(answer) = app.before(position) {
        return status(answer).into_response();
    }
    let mut response = next.run(request).await;
    *response.status_mut() = status(app.after(position, response.status().as_u16()));
    response
}

struct NotReady;

impl IntoResponse for NotReady {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, app::ERROR).into_response()
    }
}

/// Replaces the status 404 with 418.
async fn to_teapot(mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
    }
    response
}

async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        assert!(Span::current().is_none(), "it has a task of its own");
        // It fails only if the client has left.
        let _ = socket.send(Message::Text("hi".into())).await;
    })
}

fn response(reply: Reply) -> Response {
    let mut headers = headers(reply.headers);
    let body = match reply.body {
        app::Body::Text(text) => Body::from(text),
        app::Body::Stream(chunks) => streamed(chunks, reply.trailers),
        app::Body::Sized(length, chunks) => {
            headers.insert(header::CONTENT_LENGTH, length.into());
            streamed(chunks, reply.trailers)
        }
    };
    (status(reply.status), headers, body).into_response()
}

fn streamed(chunks: Chunks, trailers: Vec<(&'static str, String)>) -> Body {
    let frames = chunks.map_ok(|chunk| Frame::data(Bytes::from(chunk)));
    let trailers = (!trailers.is_empty()).then(|| Ok(Frame::trailers(headers(trailers))));
    Body::new(StreamBody::new(frames.chain(stream::iter(trailers))))
}

fn headers(pairs: Vec<(&'static str, String)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::try_from(value).expect("a header's value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}

server_contract!(AxumServer);
