//! The contract that every adapter passes.

mod common;

use std::collections::VecDeque;
use std::net::SocketAddr;

use opentracing_rocket::{HttpTracing, TracingFairing, traced};
use opentracing_testkit::app::{self, App, CHUNKS, Gate};
use opentracing_testkit::server::{Capabilities, HangUp, Panic, Server};
use opentracing_testkit::server_contract;
use rocket::http::Status;
use rocket::response::stream::{ReaderStream, TextStream};
use rocket::{Build, Rocket, Route, State, get, routes};

struct RocketServer(common::Server);

impl Server for RocketServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "rocket",
        item: Some("/items/<id>"),
        nested_item: Some("/nested/items/<id>"),
        panic: Panic::Answers500,
        hang_up: HangUp::RunsOn,
        // A responder turns an error into a status and throws the error away.
        error_message: false,
        peer: true,
    };

    fn start(app: App) -> Self {
        Self(common::Server::launch(rocket(app)))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }
}

fn rocket(app: App) -> Rocket<Build> {
    let rocket = common::rocket().manage(app.gate);
    let routes = routes![
        foo,
        item,
        inject,
        inject_later,
        child,
        baggage,
        bad_request,
        error,
        panics,
        stream,
        events,
        endless,
        hang,
        empty,
        untraced,
    ];
    let Some(tracing) = app.tracing else {
        return rocket
            .mount("/", routes)
            .mount("/nested", routes![item])
            .mount("/", routes![chosen]);
    };
    rocket
        .attach(TracingFairing::new(&tracing))
        .mount("/", traced(&tracing, routes))
        .mount("/nested", traced(&tracing, routes![item]))
        .mount("/", chosen_route(&tracing))
}

fn chosen_route(tracing: &HttpTracing) -> impl Into<Vec<Route>> + use<> {
    traced(tracing, routes![chosen]).attributes(app::chosen())
}

#[get("/foo")]
fn foo() -> &'static str {
    "bar"
}

#[get("/items/<id>")]
fn item(id: String) -> String {
    id
}

#[get("/inject")]
fn inject() -> String {
    app::injected()
}

#[get("/async")]
async fn inject_later() -> String {
    app::turn().await;
    app::injected()
}

#[get("/child")]
fn child() {
    app::child();
}

#[get("/baggage")]
fn baggage() -> String {
    app::set_baggage();
    app::injected()
}

#[get("/badrequest")]
fn bad_request() -> Status {
    Status::BadRequest
}

#[get("/error")]
fn error() -> Result<(), Status> {
    Err(Status::ServiceUnavailable)
}

#[get("/panic")]
fn panics() {
    panic!("as asked for");
}

#[get("/stream")]
fn stream() -> TextStream![&'static str] {
    TextStream(chunks())
}

#[get("/events")]
fn events() -> (rocket::http::ContentType, TextStream![&'static str]) {
    (rocket::http::ContentType::EventStream, TextStream(chunks()))
}

fn chunks() -> impl rocket::futures::Stream<Item = &'static str> {
    rocket::futures::stream::unfold(VecDeque::from(CHUNKS), |mut rest| async {
        let chunk = app::next_chunk(&mut rest).await?;
        Some((chunk, rest))
    })
}

#[get("/endless")]
fn endless(gate: &State<Gate>) -> ReaderStream![&'static [u8]] {
    let gate = gate.inner().clone();
    ReaderStream! {
        yield CHUNKS[0].as_bytes();
        gate.wait().await;
        // A client that has gone is noticed when something is sent to it.
        loop {
            app::turn().await;
            yield CHUNKS[1].as_bytes();
        }
    }
}

#[get("/hang")]
async fn hang(gate: &State<Gate>) {
    gate.wait().await;
}

#[get("/empty")]
fn empty() -> Status {
    Status::NoContent
}

#[get("/chosen")]
fn chosen() -> &'static str {
    "chosen"
}

#[get("/untraced")]
fn untraced() -> String {
    app::injected()
}

server_contract!(RocketServer);
