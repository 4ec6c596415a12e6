//! The server contract for a framework that blocks, whose adapter is the guide's: what such a one lacks is declared, and the
//! kit asserts what happens instead.

mod adapter;
mod framework;
mod wrong;

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use http::{HeaderValue, Method};
use opentracing_http::{MountPoint, Span, SpanEnd};
use opentracing_testkit::app::{self, App, Chunks, Position, Reply, block_on};
use opentracing_testkit::server::{Capabilities, Feature, HangUp, Panic, Server, Task};
use opentracing_testkit::{policy_contract, server_contract};

use crate::adapter::Traced;
use crate::framework::{Body, Failure, Handler, Id, Request, Response, Router, Running, text};

const LACKS: &[(Feature, &str)] = &[
    (Feature::DecliningRoutes, "A route that matches responds."),
    (
        Feature::CatchPanicLayer,
        "The framework catches panics itself.",
    ),
    (Feature::ManyAtOnce, "Every request takes a thread."),
    (
        Feature::ScopePerPoll,
        "Nothing is polled: a handler blocks its thread.",
    ),
    (
        Feature::Streams,
        "A response is sent when all of it is there.",
    ),
    (Feature::Http2, "It speaks HTTP/1 only."),
    (
        Feature::RouteOfDroppedRequests,
        "Outside of the router the response has the route.",
    ),
    (Feature::Upgrade, "A connection stays what it is."),
    (
        Feature::LocalAddress,
        "It does not keep the listener's address.",
    ),
    (Feature::Trailers, "It sends none."),
];

struct BlockingServer(Running);

impl Server for BlockingServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "blocking",
        panic: Panic::Answers500Outside,
        hang_up: HangUp::RunsOn,
        lacks: LACKS,
        ..Capabilities::ALL
    };

    fn start(app: App) -> Self {
        Self(Running::start(service(&app)))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        thread::spawn(|| block_on(task));
    }
}

/// The application, with all that stands round it.
fn service(app: &App) -> Arc<dyn Handler> {
    let inner = middleware(app, Position::Inside, router(app));
    let traced: Box<dyn Handler> = match app.everywhere() {
        Some(tracing) => Box::new(Traced::new(tracing, inner)),
        None => Box::new(inner),
    };
    Arc::new(middleware(app, Position::Outside, move |request| {
        traced.handle(request)
    }))
}

fn middleware<H: Handler>(app: &App, position: Position, inner: H) -> impl Handler + use<H> {
    let app = app.clone();
    move |request: Request| {
        if let Some(status) = app.before(position) {
            return Ok(text(status, ""));
        }
        let mut response = inner.handle(request)?;
        let status = app.after(position, response.status().as_u16());
        *response.status_mut() = status.try_into().expect("a status");
        Ok(response)
    }
}

fn router(app: &App) -> Router {
    let item = |request: Request| {
        let id = request.extensions().get::<Id>().expect("an id");
        Ok(text(200, id.0.clone()))
    };
    let error = Failure {
        status: 503,
        message: app::ERROR,
    };
    let failed = error.clone();
    Router::default()
        .route(None, "/", play(app))
        .route(None, "/play", play(app))
        .route(Method::GET, "/items/{id}", item)
        .route(Method::GET, "/nested/items/{id}", item)
        .route(Method::GET, "/extracted", |_| {
            Ok(text(200, app::injected_by(&Span::current())))
        })
        .route(Method::POST, "/echo", |request: Request| {
            Ok(text(200, request.into_body()))
        })
        .route(Method::GET, "/error", move |_| {
            Ok(error.clone().into_response())
        })
        .route(Method::GET, "/failed", move |_| Err(failed.clone()))
        .route(Method::GET, "/rewritten", |_| {
            let mut missing = text(404, "");
            *missing.status_mut() = http::StatusCode::IM_A_TEAPOT;
            Ok(missing)
        })
        .route(Method::GET, "/declined/{id}", item)
        .route(Method::GET, "/upgrade", |_| Ok(text(200, "")))
        .route(Method::GET, "/chosen", chosen(app))
        .route(
            Method::GET,
            "/named",
            traced(app, play(app), |mount_point| {
                mount_point.name(app::NAMED).ends(SpanEnd::Head)
            }),
        )
        .route(
            Method::GET,
            "/scope/chosen",
            traced(app, chosen(app), |mount_point| {
                mount_point.attributes(app::chosen_by_scope())
            }),
        )
}

fn chosen(app: &App) -> Box<dyn Handler> {
    traced(app, play(app), |mount_point| {
        mount_point.attributes(app::chosen())
    })
}

/// A handler that is traced once more, with options of its own.
fn traced(
    app: &App,
    inner: impl Handler + 'static,
    options: impl FnOnce(MountPoint) -> MountPoint,
) -> Box<dyn Handler> {
    match app.mount_points() {
        Some(tracing) => Box::new(Traced::new(options(tracing.mount_point()), inner)),
        None => Box::new(inner),
    }
}

fn play(app: &App) -> impl Handler + use<> {
    let app = app.clone();
    move |request: Request| {
        let playing = app.play(request.uri().query().unwrap_or_default());
        Ok(native(block_on(playing)))
    }
}

fn native(reply: Reply) -> Response {
    let body: Body = match reply.body {
        app::Body::Text(text) => Box::new(io::Cursor::new(text.into_bytes())),
        app::Body::Stream(chunks) | app::Body::Sized(_, chunks) => Box::new(Reader {
            chunks,
            rest: Vec::new(),
        }),
    };
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, HeaderValue::from_str(&value).expect("a value"));
    }
    response.body(body).expect("a response")
}

/// A body that is read from the chunks of the kit.
struct Reader {
    chunks: Chunks,
    rest: Vec<u8>,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.chunks.next_blocking() {
                Some(chunk) => self.rest = chunk.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

impl Handler for Box<dyn Handler> {
    fn handle(&self, request: Request) -> Result<Response, Failure> {
        (**self).handle(request)
    }
}

server_contract!(BlockingServer);

/// What no framework can influence.
mod policy {
    use super::*;

    policy_contract!(BlockingServer);
}
