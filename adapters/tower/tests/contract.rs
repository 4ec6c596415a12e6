//! The contract that every adapter passes, for a plain service that hyper serves.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header,
};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentracing_testkit::app::{self, App, Broken, Chunk, Position, Reply};
use opentracing_testkit::server::{Capabilities, Feature, Running, Server, Task};
use opentracing_testkit::server_contract;
use opentracing_tower::{LocalAddr, SpanEnd, TracingLayer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;

type Body = UnsyncBoxBody<Bytes, Broken>;
type Service = BoxCloneService<Request<Incoming>, Response<Body>, NotReady>;

struct HyperServer(Running);

impl Server for HyperServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "tower",
        lacks: &[
            (Feature::Routes, "A tower service has no routes."),
            (Feature::UnmatchedRoute, "A tower service has no routes."),
            (Feature::DecliningRoutes, "A tower service has no routes."),
            (
                Feature::ErrorMessage,
                "What the service answers with is a response, whatever error it was made of.",
            ),
        ],
        ..Capabilities::ALL
    };

    fn start(app: App) -> Self {
        Self(Running::tokio(async move |listener| {
            let listener = TcpListener::from_std(listener).expect("a socket for tokio");
            accept(listener, service(&app)).await;
        }))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }
}

async fn accept(listener: TcpListener, service: Service) {
    loop {
        let (stream, peer) = listener.accept().await.expect("a connection");
        tokio::spawn(serve(stream, peer, service.clone()));
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, service: Service) {
    let local = stream.local_addr().expect("an address");
    let service = service.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(LocalAddr(local));
        request
    });
    // It fails if the client has left, which some cases want.
    let _ = Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

/// Returns the application with its middlewares and layers.
fn service(app: &App) -> Service {
    let inner = middleware(app.clone(), Position::Inside, routed(app));
    let traced = match app.everywhere() {
        Some(tracing) => boxed(TracingLayer::new(tracing).layer(inner)),
        None => inner,
    };
    let outer = without_body_for_head(middleware(app.clone(), Position::Outside, traced));
    // An error that reaches this point becomes a response, because hyper would close the connection.
    let outer = BoxCloneService::new(outer.map_result(|result: Result<_, NotReady>| {
        result.or_else(|error| Ok(text(error.to_string(), StatusCode::SERVICE_UNAVAILABLE)))
    }));
    if !app.catches_panics() {
        return outer;
    }
    boxed(
        ServiceBuilder::new()
            .layer(CatchPanicLayer::new())
            .service(outer),
    )
}

/// hyper leaves the body out of responses to `HEAD` over HTTP/1, but not over HTTP/2.
fn without_body_for_head(inner: Service) -> Service {
    BoxCloneService::new(tower::service_fn(move |request: Request<Incoming>| {
        let strips = request.method() == Method::HEAD && request.version() == Version::HTTP_2;
        let response = inner.clone().oneshot(request);
        async move {
            let response = response.await?;
            Ok(if strips {
                response.map(|_| full(Bytes::new()))
            } else {
                response
            })
        }
    }))
}

fn boxed<S, B>(service: S) -> Service
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = NotReady>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Debug,
{
    let service = service
        .map_response(|response| response.map(|body| body.map_err(|_| Broken).boxed_unsync()));
    BoxCloneService::new(service)
}

/// Returns the kit's middleware as a tower service.
fn middleware(app: App, position: Position, inner: Service) -> Service {
    BoxCloneService::new(tower::service_fn(move |request| {
        let (app, inner) = (app.clone(), inner.clone());
        async move {
            if let Some(status) = app
                .before(position)
                .and_then(|it| StatusCode::from_u16(it).ok())
            {
                return Ok(text("", status));
            }
            let mut response = inner.oneshot(request).await?;
            let status = app.after(position, response.status().as_u16());
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            Ok(response)
        }
    }))
}

/// Returns the handlers. `/chosen` has one more mount point, `/scope/chosen` has two more.
fn routed(app: &App) -> Service {
    let plain = {
        let app = app.clone();
        BoxCloneService::new(tower::service_fn(move |request| {
            answer(app.clone(), request)
        }))
    };
    let Some(tracing) = app.mount_points() else {
        return plain;
    };
    let chosen = TracingLayer::new(tracing.mount_point().attributes(app::chosen()));
    let chosen = boxed(chosen.layer(plain.clone()));
    let named = TracingLayer::new(tracing.mount_point().name(app::NAMED).ends(SpanEnd::Head));
    let named = boxed(named.layer(plain.clone()));
    let scope = TracingLayer::new(tracing.mount_point().attributes(app::chosen_by_scope()));
    let scope = boxed(scope.layer(chosen.clone()));
    BoxCloneService::new(tower::service_fn(move |request: Request<Incoming>| {
        let service = match request.uri().path() {
            "/chosen" => &chosen,
            "/named" => &named,
            "/scope/chosen" => &scope,
            _ => &plain,
        };
        service.clone().oneshot(request)
    }))
}

/// The error of the service, which becomes a response outside of all layers.
#[derive(Debug)]
struct NotReady;

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(app::ERROR)
    }
}

impl std::error::Error for NotReady {}

/// The handler of all paths, because a service has no routes.
async fn answer(app: App, request: Request<Incoming>) -> Result<Response<Body>, NotReady> {
    let path = request.uri().path().to_owned();
    let gets = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(match path.as_str() {
        "/" | "/play" | "/chosen" | "/named" | "/scope/chosen" => {
            let playing = app.play(request.uri().query().unwrap_or_default());
            native(playing.await)
        }
        "/echo" if request.method() == Method::POST => match request.into_body().collect().await {
            Ok(body) => Response::new(full(body.to_bytes())),
            Err(_) => text("", StatusCode::BAD_REQUEST),
        },
        _ if !gets => text("", StatusCode::METHOD_NOT_ALLOWED),
        "/extracted" => text(app::injected(), StatusCode::OK),
        "/error" => text(NotReady.to_string(), StatusCode::SERVICE_UNAVAILABLE),
        "/failed" => return Err(NotReady),
        "/rewritten" => rewritten(text("", StatusCode::NOT_FOUND)),
        "/upgrade" => upgrade(request),
        _ => match item(&path) {
            Some(id) => text(id.to_owned(), StatusCode::OK),
            None => text("", StatusCode::NOT_FOUND),
        },
    })
}

fn item(path: &str) -> Option<&str> {
    ["/items/", "/nested/items/", "/declined/"]
        .into_iter()
        .find_map(|route| path.strip_prefix(route))
}

fn rewritten(mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::NOT_FOUND {
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
    }
    response
}

fn upgrade(request: Request<Incoming>) -> Response<Body> {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.expect("an upgrade");
        let sent = TokioIo::new(upgraded).write_all(&app::GREETING).await;
        sent.expect("the client listens");
    });
    let mut response = text("", StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

fn native(reply: Reply) -> Response<Body> {
    let trailers = fields(&reply.trailers);
    let mut headers = fields(&reply.headers);
    let body = match reply.body {
        app::Body::Text(body) => full(body),
        app::Body::Stream(chunks) => streamed(chunks, trailers),
        app::Body::Sized(length, chunks) => {
            headers.insert(header::CONTENT_LENGTH, length.into());
            streamed(chunks, trailers)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("a status");
    *response.headers_mut() = headers;
    response
}

fn fields(fields: &[(&'static str, String)]) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| {
        let value = HeaderValue::from_str(value).expect("a header's value");
        (HeaderName::from_static(name), value)
    });
    let mut map = HeaderMap::new();
    fields.for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

fn streamed(chunks: app::Chunks, trailers: HeaderMap) -> Body {
    let frames = chunks.map(|chunk: Chunk| Ok(Frame::data(Bytes::from(chunk?))));
    let trailers = (!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers)));
    StreamBody::new(frames.chain(stream::iter(trailers))).boxed_unsync()
}

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn text(body: impl Into<Bytes>, status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
}

server_contract!(HyperServer);
