//! The contract that every adapter passes.

use std::io::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use example_poem::{CurrentSpan, Tracing};
use futures_util::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use opentracing_http::{HttpTracing, SpanEnd};
use opentracing_testkit::app::{self, App, Chunks, Position, Reply};
use opentracing_testkit::server::{Capabilities, Feature, HangUp, Running, Server, Task};
use opentracing_testkit::server_contract;
use poem::endpoint::BoxEndpoint;
use poem::error::{NotFoundError, ResponseError};
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use poem::listener::TcpAcceptor;
use poem::middleware::CatchPanic;
use poem::web::{Data, Path};
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, Route, get, handler, post};
use tokio::io::AsyncWriteExt;

struct Poem(Running);

impl Server for Poem {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "poem",
        parameter: ":id",
        hang_up: HangUp::RunsOn,
        lacks: &[
            (
                Feature::DecliningRoutes,
                "A path has one endpoint, which always returns the response.",
            ),
            (
                Feature::HandlerError,
                "The adapter turns every error into a response.",
            ),
            (
                Feature::BodyError,
                "The server polls the connection of a failed body again, which sends the end of its chunks.",
            ),
            (
                Feature::RouteOfDroppedRequests,
                "The router provides its pattern only with the response.",
            ),
        ],
        ..Capabilities::ALL
    };

    fn start(app: App) -> Self {
        Self(Running::tokio(async move |listener| {
            let acceptor = TcpAcceptor::from_std(listener).expect("a listener");
            let server = poem::Server::new_with_acceptor(acceptor);
            server.run(application(&app)).await.expect("a server");
        }))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }
}

server_contract!(Poem);

fn application(app: &App) -> BoxEndpoint<'static> {
    let routes = Route::new()
        .at("/", play)
        .at("/play", play)
        .at("/items/:id", get(item))
        .nest("/nested", Route::new().at("/items/:id", get(item)))
        .at("/extracted", get(extracted))
        .at("/echo", post(echo))
        .at("/error", get(not_ready))
        .at("/failed", get(not_ready))
        .at("/rewritten", get(not_found).catch_error(teapot))
        .at("/declined/:id", get(item))
        .at("/upgrade", get(upgrade));
    let routes = with_mount_points(routes, app.mount_points()).data(app.clone());
    let inside = middleware(routes, app, Position::Inside);
    let traced = match app.everywhere() {
        Some(tracing) => inside.with(Tracing::new(tracing)).boxed(),
        None => inside.boxed(),
    };
    let outside = middleware(traced, app, Position::Outside);
    if app.catches_panics() {
        outside.with(CatchPanic::new()).boxed()
    } else {
        outside.boxed()
    }
}

fn with_mount_points(routes: Route, tracing: Option<&HttpTracing>) -> Route {
    let Some(tracing) = tracing else {
        return routes
            .at("/chosen", get(play))
            .at("/named", get(play))
            .nest("/scope", Route::new().at("/chosen", get(play)));
    };
    let chosen = Tracing::new(tracing.mount_point().attributes(app::chosen()));
    let scope = Tracing::new(tracing.mount_point().attributes(app::chosen_by_scope()));
    let named = Tracing::new(tracing.mount_point().name(app::NAMED).ends(SpanEnd::Head));
    routes
        .at("/chosen", get(play).with(&chosen))
        .at("/named", get(play).with(named))
        .nest(
            "/scope",
            Route::new()
                .at("/chosen", get(play).with(chosen))
                .with(scope),
        )
}

/// Returns the kit's middleware. It passes on an error whose status it does not change.
fn middleware(
    inner: impl IntoEndpoint<Endpoint: 'static>,
    app: &App,
    position: Position,
) -> impl Endpoint<Output = Response> + 'static {
    let app = app.clone();
    inner.map_to_response().around(move |inner, request| {
        let app = app.clone();
        async move {
            if let Some(status) = app.before(position) {
                return Ok(self::status(status).into());
            }
            match inner.call(request).await {
                Ok(mut response) => {
                    response.set_status(status(app.after(position, response.status().as_u16())));
                    Ok(response)
                }
                Err(error) => {
                    let status = status(app.after(position, error.status().as_u16()));
                    if status == error.status() {
                        return Err(error);
                    }
                    let mut response = error.into_response();
                    response.set_status(status);
                    Ok(response)
                }
            }
        }
    })
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}

#[handler]
async fn play(app: Data<&App>, request: &Request) -> Response {
    let mut response = response(app.play(request.uri().query().unwrap_or_default()).await);
    if request.method() == Method::HEAD {
        // `get` removes the body as well, but a route for all methods does not.
        response.set_body(());
    }
    response
}

#[handler]
fn item(Path(id): Path<String>) -> String {
    id
}

#[handler]
async fn extracted(span: CurrentSpan) -> String {
    app::injected_by(&span)
}

#[handler]
fn echo(body: Vec<u8>) -> Vec<u8> {
    body
}

#[derive(Debug)]
struct NotReady;

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(app::ERROR)
    }
}

impl std::error::Error for NotReady {}

impl ResponseError for NotReady {
    fn status(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

#[handler]
fn not_ready() -> Result<String, NotReady> {
    Err(NotReady)
}

#[handler]
fn not_found() -> Result<String, NotFoundError> {
    Err(NotFoundError)
}

async fn teapot(_: NotFoundError) -> StatusCode {
    StatusCode::IM_A_TEAPOT
}

#[handler]
fn upgrade(request: &Request) -> poem::Result<Response> {
    let upgraded = request.take_upgrade()?;
    tokio::spawn(async move {
        if let Ok(mut connection) = upgraded.await {
            let _ = connection.write_all(&app::GREETING).await;
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket");
    Ok(response.finish())
}

fn response(reply: Reply) -> Response {
    let mut response = Response::from(status(reply.status));
    let length = match &reply.body {
        app::Body::Sized(length, _) => Some(("content-length", length.to_string())),
        _ => None,
    };
    response
        .headers_mut()
        .extend(headers(reply.headers.into_iter().chain(length)));
    let body = match reply.body {
        app::Body::Text(text) => {
            BoxBody::new(Full::new(Bytes::from(text)).map_err(|never| match never {}))
        }
        app::Body::Stream(chunks) | app::Body::Sized(_, chunks) => frames(chunks),
    };
    response.set_body(if reply.trailers.is_empty() {
        body
    } else {
        let trailers = headers(reply.trailers);
        BoxBody::new(body.with_trailers(std::future::ready(Some(Ok(trailers)))))
    });
    response
}

fn frames(chunks: Chunks) -> BoxBody<Bytes, Error> {
    BoxBody::new(StreamBody::new(chunks.map(|chunk| {
        let chunk = chunk.map_err(Error::other)?;
        Ok(http_body::Frame::data(chunk.into()))
    })))
}

fn headers(headers: impl IntoIterator<Item = (&'static str, String)>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).expect("a value");
        map.append(HeaderName::from_static(name), value);
    }
    map
}
