//! The contract that every adapter passes.

// Rocket passes guards by value.
#![allow(clippy::needless_pass_by_value)]

mod common;

use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use opentracing_rocket::{CurrentSpan, SpanEnd, TracingFairing, traced};
use opentracing_testkit::app::{self, App, Body, Broken, Chunks, Position, Reply};
use opentracing_testkit::server::{Capabilities, Feature, HangUp, Panic, Server, Task};
use opentracing_testkit::server_contract;
use rocket::data::{IoHandler, IoStream};
use rocket::fairing::{Fairing, Info, Kind};
use rocket::futures::StreamExt;
use rocket::http::{Method, Status};
use rocket::response::stream::ReaderStream;
use rocket::response::{self, Responder, Response};
use rocket::route::{Handler, Outcome};
use rocket::tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use rocket::{
    Build, Data, Request, Rocket, Route, async_trait, catch, catchers, get, post, routes, tokio,
};

/// The features that Rocket lacks. The first is lacking only if the fairing records only traced routes.
const LACKS: &[(Feature, &str)] = &[
    (
        Feature::UnmatchedRequests,
        "With `TracingFairing::only_traced_routes` a request that reaches no traced route has no span.",
    ),
    (
        Feature::CatchPanicLayer,
        "Rocket itself catches panics, inside of the tracing, and has no layer for it.",
    ),
    (
        Feature::ErrorMessage,
        "A responder turns an error into a status or a response, and drops the error.",
    ),
    (
        Feature::HandlerError,
        "A catcher turns an error into a response before fairings see it.",
    ),
    (
        Feature::Trailers,
        "Rocket's bodies are readers of bytes, without trailers.",
    ),
    (
        Feature::BodyError,
        "Rocket 0.5 ends a body that failed as if it were complete; only the span has the failure.",
    ),
    (
        Feature::BodyPanic,
        "Rocket 0.5 ends a body that panicked as if it were complete; only the span has the panic.",
    ),
    (
        Feature::MiddlewareOutside,
        "Rocket calls fairings one after the other, and the tracing is the last to see a response.",
    ),
    (
        Feature::MiddlewareThatResponds,
        "A fairing cannot respond instead of a route.",
    ),
    (
        Feature::CurrentSpanInMiddleware,
        "A fairing cannot wrap other fairings; they get the span with `CurrentSpan::of`.",
    ),
    (
        Feature::UnknownMethods,
        "Rocket responds to them with 400 before any fairing runs.",
    ),
    (
        Feature::RouteOfWrongMethod,
        "The method is part of Rocket's routes, so no route matches another method.",
    ),
    (
        Feature::ProtocolVersion,
        "Rocket's request does not contain the protocol's version.",
    ),
    (
        Feature::AbsoluteAuthority,
        "Rocket keeps only path and query of an HTTP/1 target.",
    ),
    (
        Feature::TargetScheme,
        "Rocket keeps nothing but path and query of a target.",
    ),
    (
        Feature::HeadersBeyondAscii,
        "Rocket drops header values that are not UTF-8.",
    ),
];

/// Serves the application with all routes traced. The fairing records every request or only those of traced routes.
struct RocketServer<const EVERYTHING: bool>(common::Server);

impl<const EVERYTHING: bool> Server for RocketServer<EVERYTHING> {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "rocket",
        parameter: "<id>",
        panic: Panic::Answers500,
        hang_up: HangUp::RunsOn,
        reset: HangUp::RunsOn,
        lacks: match EVERYTHING {
            true => LACKS.split_at(1).1,
            false => LACKS,
        },
    };

    fn start(app: App) -> Self {
        Self(common::Server::launch(rocket(&app, EVERYTHING)))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        tokio::spawn(task);
    }
}

fn rocket(app: &App, everything: bool) -> Rocket<Build> {
    let mut rocket = common::rocket();
    if let Some(tracing) = app.mount_points() {
        rocket = rocket.attach(match app.everywhere() {
            Some(tracing) if everything => TracingFairing::new(tracing),
            _ => TracingFairing::only_traced_routes(tracing),
        });
    }
    // A fairing cannot make the span current in handlers, so the routes are traced, too.
    let mounted = |routes: Vec<Route>| match app.everywhere() {
        Some(tracing) => traced(tracing, routes),
        None => routes,
    };
    rocket
        .attach(Inside(app.clone()))
        .mount("/", mounted(Play::at("/", app)))
        .mount("/", mounted(Play::at("/play", app)))
        .mount("/", mounted(routes()))
        .mount("/nested", mounted(routes![item]))
        .register("/rewritten", catchers![teapot])
        .mount("/", chosen(app))
        .mount("/", named(app))
        .mount("/scope", chosen_in_scope(app))
}

fn routes() -> Vec<Route> {
    routes![
        item, extracted, echo, error, failed, rewritten, declines, declined, upgrade
    ]
}

fn chosen(app: &App) -> Vec<Route> {
    let routes = Play::at("/chosen", app);
    match app.mount_points() {
        Some(tracing) => traced(tracing.mount_point().attributes(app::chosen()), routes),
        None => routes,
    }
}

fn named(app: &App) -> Vec<Route> {
    let routes = Play::at("/named", app);
    match app.mount_points() {
        Some(tracing) => traced(
            tracing.mount_point().name(app::NAMED).ends(SpanEnd::Head),
            routes,
        ),
        None => routes,
    }
}

/// Returns the routes of the scope. In Rocket a scope is a list of routes that are mounted together.
fn chosen_in_scope(app: &App) -> Vec<Route> {
    let routes = chosen(app);
    match app.mount_points() {
        Some(tracing) => traced(
            tracing.mount_point().attributes(app::chosen_by_scope()),
            routes,
        ),
        None => routes,
    }
}

#[get("/items/<id>")]
fn item(id: &str) -> &str {
    id
}

#[get("/extracted")]
fn extracted(span: CurrentSpan) -> String {
    app::injected_by(&span)
}

#[post("/echo", data = "<body>")]
fn echo(body: &str) -> &str {
    body
}

#[derive(Responder)]
#[response(status = 503)]
struct NotReady(&'static str);

#[get("/error")]
fn error() -> Result<(), NotReady> {
    Err(NotReady(app::ERROR))
}

/// Returns a status, for which a catcher creates the response.
#[get("/failed")]
fn failed() -> Result<(), Status> {
    Err(Status::ServiceUnavailable)
}

#[get("/rewritten")]
fn rewritten() -> Status {
    Status::NotFound
}

#[catch(404)]
fn teapot() -> (Status, &'static str) {
    (Status::ImATeapot, "short and stout")
}

/// Forwards every request whose segment is no `bool`.
#[get("/declined/<_id>")]
fn declines(_id: bool) {}

#[get("/declined/<id>", rank = 2)]
fn declined(id: &str) -> &str {
    id
}

#[get("/upgrade")]
fn upgrade() -> Greeting {
    Greeting
}

struct Greeting;

impl<'r> Responder<'r, 'static> for Greeting {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build().upgrade("websocket", self).ok()
    }
}

#[async_trait]
impl IoHandler for Greeting {
    async fn io(self: Pin<Box<Self>>, mut io: IoStream) -> io::Result<()> {
        io.write_all(&app::GREETING).await
    }
}

/// The kit's middleware inside of the tracing, as a fairing.
struct Inside(App);

#[async_trait]
impl Fairing for Inside {
    fn info(&self) -> Info {
        Info {
            name: "Inside",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, _: &mut Request<'_>, _: &mut Data<'_>) {
        // A fairing cannot respond.
        let _ = self.0.before(Position::Inside);
    }

    async fn on_response<'r>(&self, _: &'r Request<'_>, response: &mut Response<'r>) {
        let status = self.0.after(Position::Inside, response.status().code);
        response.set_status(Status::new(status));
    }
}

/// The handler that runs the instructions of a test case.
#[derive(Clone)]
struct Play(App);

impl Play {
    /// Returns a route for every method but `HEAD`, which Rocket derives from `GET`.
    fn at(path: &str, app: &App) -> Vec<Route> {
        const METHODS: [Method; 8] = [
            Method::Get,
            Method::Put,
            Method::Post,
            Method::Delete,
            Method::Options,
            Method::Trace,
            Method::Connect,
            Method::Patch,
        ];
        let route = |method| Route::new(method, path, Self(app.clone()));
        METHODS.map(route).into()
    }
}

#[async_trait]
impl Handler for Play {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let query = request.uri().query();
        let playing = self.0.play(query.map_or("", |query| query.as_str()));
        Outcome::from(request, Played(playing.await))
    }
}

struct Played(Reply);

impl<'r> Responder<'r, 'static> for Played {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let Self(reply) = self;
        let mut response = Response::build();
        response.status(Status::new(reply.status));
        for (name, value) in reply.headers {
            response.raw_header_adjoin(name, value);
        }
        match reply.body {
            Body::Text(text) => response.sized_body(text.len(), Cursor::new(text)),
            Body::Stream(chunks) => response.streamed_body(read(chunks)),
            Body::Sized(length, chunks) => response
                .raw_header("Content-Length", length.to_string())
                .streamed_body(read(chunks)),
        };
        response.ok()
    }
}

fn read(chunks: Chunks) -> impl AsyncRead + Send {
    ReaderStream::from(chunks.map(|chunk| Part(chunk.map(Cursor::new))))
}

/// Reads a part of a body, or fails.
struct Part(Result<Cursor<Vec<u8>>, Broken>);

impl AsyncRead for Part {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Ok(bytes) => Pin::new(bytes).poll_read(cx, buf),
            Err(broken) => Poll::Ready(Err(io::Error::other(*broken))),
        }
    }
}

mod fairing_form {
    use super::*;

    server_contract!(RocketServer<true>);
}

mod routes_form {
    use super::*;

    server_contract!(RocketServer<false>);
}
