//! The fairing alone: every request has a span, and the guard returns it.

// Rocket passes guards by value.
#![allow(clippy::needless_pass_by_value)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{PATIENCE, Server, in_memory, one_span, rocket};
use opentracing_http::{HttpTracing, Outcome, Value};
use opentracing_rocket::{CurrentSpan, Span, TracingFairing};
use opentracing_testkit::app::{Gate, turn};
use rocket::data::{IoHandler, IoStream};
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome as Guarded};
use rocket::response::stream::TextStream;
use rocket::response::{Responder, Response};
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::runtime;
use rocket::{
    Build, Request, Rocket, Shutdown, State, async_trait, catch, catchers, get, post, routes,
};

const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn traced(tracing: &HttpTracing) -> Rocket<Build> {
    rocket().attach(TracingFairing::new(tracing))
}

#[get("/hello/<n>?<q>")]
fn hello(n: u32, q: Option<&str>) -> String {
    format!("hello {n} {}", q.unwrap_or_default())
}

#[test]
fn span_is_named_after_the_mounted_template() {
    let (tracer, tracing) = in_memory();
    let server = Server::launch(traced(&tracing).mount("/v1", routes![hello]));
    assert_eq!(server.get("/v1/hello/7?q=x").text(), "hello 7 x");
    let span = one_span(&tracer);
    assert_eq!(span.name(), "GET /v1/hello/<n>");
    assert_eq!(span.tag("http.route"), Some(Value::from("/v1/hello/<n>")));
    assert_eq!(
        span.tag("http.url"),
        Some(Value::from("http://test.example/v1/hello/7"))
    );
    assert_eq!(span.tag("component"), Some(Value::from("rocket")));
    assert_eq!(span.http().unwrap().body_bytes(), 9);
}

/// A guard and a responder that set tags of the request's span.
struct Tagging;

#[async_trait]
impl<'r> FromRequest<'r> for Tagging {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Guarded<Self, Self::Error> {
        CurrentSpan::of(request).set_tag("guard", true);
        turn().await;
        Guarded::Success(Self)
    }
}

impl<'r> Responder<'r, 'static> for Tagging {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        CurrentSpan::of(request).set_tag("responder", true);
        Err(Status::ImATeapot)
    }
}

#[catch(418)]
async fn teapot(request: &Request<'_>) -> &'static str {
    let span = request.guard::<CurrentSpan>().await.unwrap();
    span.set_tag("catcher", Span::current().is_none());
    "short and stout"
}

#[get("/reach")]
async fn reach(tagging: Tagging, span: CurrentSpan) -> Tagging {
    assert!(Span::current().is_none(), "a fairing makes nothing current");
    span.set_tag("handler", true);
    turn().await;
    span.child("child").scope(turn()).await;
    let elsewhere = span.clone();
    let spawned = rocket::tokio::spawn(async move { elsewhere.child("spawned").finish() });
    spawned.await.expect("the task ends");
    tagging
}

#[test]
fn guard_returns_the_span_without_a_traced_route() {
    let (tracer, tracing) = in_memory();
    let rocket = traced(&tracing)
        .mount("/", routes![reach])
        .register("/", catchers![teapot]);
    let server = Server::launch(rocket);
    assert_eq!(server.get("/reach").text(), "short and stout");
    let spans = tracer.wait_for(3, PATIENCE);
    let request = &spans[2];
    for key in ["guard", "handler", "responder", "catcher"] {
        assert_eq!(request.tag(key), Some(Value::from(true)), "{key}");
    }
    assert_eq!((spans[0].name(), spans[1].name()), ("child", "spawned"));
    for child in &spans[..2] {
        assert_eq!(child.parent_id(), Some(request.context().span_id()));
    }
}

#[get("/baggage")]
fn baggage(span: CurrentSpan, other: CurrentSpan) -> TextStream![String] {
    span.set_baggage_item("user", "ada");
    let seen = other.baggage_item("user").unwrap_or_default();
    TextStream! {
        yield seen;
        yield format!(" {}", Span::current().baggage_item("user").unwrap_or_default());
    }
}

#[test]
fn handles_of_a_request_that_is_not_recorded_share_its_baggage() {
    let (tracer, tracing) = in_memory();
    let server = Server::launch(traced(&tracing).mount("/", routes![baggage]));
    let response = server.send(
        "GET",
        "/baggage",
        &[("traceparent", UNSAMPLED), ("baggage", "tenant=blue")],
    );
    assert_eq!(response.text(), "ada ada");
    assert!(tracer.finished().is_empty());
}

#[test]
fn span_has_the_status_that_other_fairings_have_set() {
    let (tracer, tracing) = in_memory();
    let sets = |code| {
        AdHoc::on_response("Status", move |_, response| {
            Box::pin(async move { response.set_status(Status::new(code)) })
        })
    };
    let stage = AdHoc::on_ignite(
        "Stage",
        move |rocket| async move { rocket.attach(sets(299)) },
    );
    let rocket = traced(&tracing)
        .attach(sets(298))
        .attach(stage)
        .mount("/", routes![hello]);
    let server = Server::launch(rocket);
    assert_eq!(server.get("/hello/1").status, 299);
    assert_eq!(one_span(&tracer).http().unwrap().status(), Some(299));
}

#[test]
fn forwarded_request_without_another_route_is_named_after_the_last_route() {
    let (tracer, tracing) = in_memory();
    let server = Server::launch(traced(&tracing).mount("/", routes![hello]));
    assert_eq!(server.get("/hello/ada").status, 422);
    let span = one_span(&tracer);
    assert_eq!(
        (span.name(), span.http().unwrap().status()),
        ("GET /hello/<n>", Some(422))
    );
    assert!(!span.is_error());
}

#[get("/panic")]
fn panics() {
    panic!("as asked for");
}

#[test]
fn panic_in_a_plain_route_is_a_response_with_status_500() {
    let (tracer, tracing) = in_memory();
    let server = Server::launch(traced(&tracing).mount("/", routes![panics]));
    assert_eq!(server.get("/panic").status, 500);
    let span = one_span(&tracer);
    assert_eq!(span.http().unwrap().outcome(), Outcome::Completed);
    assert!(span.is_error());
}

#[test]
fn panic_of_a_fairing_has_the_outcome_panicked() {
    let (tracer, tracing) = in_memory();
    let broken = AdHoc::on_response("Broken", |_, _| Box::pin(async { panic!("as asked for") }));
    let server = Server::launch(traced(&tracing).attach(broken).mount("/", routes![hello]));
    let mut connection = server.connect();
    connection.request("GET", "/hello/1", &[]);
    assert_eq!(connection.response("GET"), None);
    assert_eq!(
        one_span(&tracer).http().unwrap().outcome(),
        Outcome::Panicked
    );
}

struct Echo;

#[async_trait]
impl IoHandler for Echo {
    async fn io(self: std::pin::Pin<Box<Self>>, mut io: IoStream) -> std::io::Result<()> {
        let mut word = [0; 4];
        io.read_exact(&mut word).await?;
        io.write_all(&word).await
    }
}

impl<'r> Responder<'r, 'static> for Echo {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        Response::build().upgrade("echo", self).ok()
    }
}

#[get("/echo")]
fn echo() -> Echo {
    Echo
}

#[test]
fn span_of_an_upgrade_ends_with_the_response_head() {
    let (tracer, tracing) = in_memory();
    let server = Server::launch(traced(&tracing).mount("/", routes![echo]));
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(
            b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: other, ECHO\r\n\r\n",
        )
        .unwrap();
    let span = one_span(&tracer);
    assert_eq!(span.http().unwrap().status(), Some(101));
    assert_eq!(span.http().unwrap().outcome(), Outcome::Completed);
    socket.write_all(b"ping").unwrap();
    let mut all = String::new();
    socket.read_to_string(&mut all).unwrap();
    assert!(
        all.starts_with("HTTP/1.1 101 ") && all.ends_with("\r\n\r\nping"),
        "{all}"
    );
}

#[post("/hang")]
async fn hang(gate: &State<Gate>) -> &'static str {
    gate.wait().await;
    "done"
}

#[get("/shutdown")]
fn shut_down(shutdown: Shutdown) {
    shutdown.notify();
}

#[test]
fn graceful_shutdown_leaves_no_unfinished_span() {
    let (tracer, tracing) = in_memory();
    let gate = Gate::default();
    let rocket = traced(&tracing)
        .mount("/", routes![hang, shut_down])
        .manage(gate.clone());
    // On one thread, because on several Rocket can skip its grace period.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = Server::launch_in(runtime, rocket);
    let mut connection = server.connect();
    connection.request("POST", "/hang", &[("content-length", "0")]);
    gate.wait_for_arrivals(1);
    assert_eq!(server.get("/shutdown").status, 200);
    gate.open();
    assert_eq!(connection.response("POST").unwrap().text(), "done");
    server.land();
    tracer.assert_nothing_unfinished();
    let outcomes = tracer
        .finished()
        .into_iter()
        .map(|span| span.http().unwrap().outcome());
    assert_eq!(outcomes.collect::<Vec<_>>(), [Outcome::Completed; 2]);
}

#[test]
fn request_that_a_shutdown_aborts_is_cancelled() {
    let (tracer, tracing) = in_memory();
    let gate = Gate::default();
    let server = Server::launch(
        traced(&tracing)
            .mount("/", routes![hang])
            .manage(gate.clone()),
    );
    let mut connection = server.connect();
    connection.request("POST", "/hang", &[("content-length", "0")]);
    gate.wait_for_arrivals(1);
    drop(server);
    assert_eq!(
        one_span(&tracer).http().unwrap().outcome(),
        Outcome::Cancelled
    );
}

#[test]
fn request_with_two_fairings_has_one_span() {
    let (tracer, tracing) = in_memory();
    let server = Server::launch(
        traced(&tracing)
            .attach(TracingFairing::new(&tracing))
            .mount("/", routes![hello]),
    );
    server.get("/hello/1");
    drop(server);
    assert_eq!(one_span(&tracer).name(), "GET /hello/<n>");
    tracer.assert_nothing_unfinished();
}

#[test]
fn clones_of_a_local_request_have_their_own_spans() {
    let (tracer, tracing) = in_memory();
    let client =
        rocket::local::blocking::Client::untracked(traced(&tracing).mount("/", routes![hello]))
            .unwrap();
    let request = client.get("/hello/1");
    for _ in 0..3 {
        assert_eq!(
            request.clone().dispatch().into_string().unwrap(),
            "hello 1 "
        );
    }
    assert_eq!(tracer.finished().len(), 3);
    tracer.assert_nothing_unfinished();
}

#[test]
fn concurrent_requests_have_their_own_spans() {
    #[get("/mark/<n>")]
    async fn mark(n: u32, span: CurrentSpan) -> &'static str {
        for _ in 0..20 {
            turn().await;
        }
        span.set_tag("n", i64::from(n));
        "marked"
    }

    let (tracer, tracing) = in_memory();
    common::multi_thread().block_on(async {
        let rocket = traced(&tracing).mount("/", routes![mark]);
        let client = rocket::local::asynchronous::Client::untracked(rocket)
            .await
            .unwrap();
        let requests = (0..500).map(|n| client.get(format!("/mark/{n}")).dispatch());
        for response in rocket::futures::future::join_all(requests).await {
            assert_eq!(response.into_string().await.unwrap(), "marked");
        }
    });
    let spans = tracer.take();
    assert_eq!(spans.len(), 500);
    for span in &spans {
        let path = span.http().unwrap().path();
        assert_eq!(
            span.tag("n").unwrap().as_i64(),
            path["/mark/".len()..].parse().ok(),
            "{path}"
        );
    }
}
