//! Tracing does not change the bytes of responses.

mod common;

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;

use common::{PATIENCE, Server, in_memory, rocket};
use opentracing_rocket::{TracingFairing, traced};
use opentracing_testkit::app::turn;
use rocket::fs::FileServer;
use rocket::http::Status;
use rocket::response::stream::{Event, EventStream, TextStream};
use rocket::response::{Responder, Response};
use rocket::{Build, Request, Rocket, Route, get, routes};

#[get("/text")]
fn text() -> &'static str {
    "some text"
}

#[get("/empty")]
fn empty() {}

#[get("/no-content")]
fn no_content() -> Status {
    Status::NoContent
}

/// A responder that returns the given response.
struct Custom(fn() -> Response<'static>);

impl<'r> Responder<'r, 'static> for Custom {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        Ok((self.0)())
    }
}

const LONG: &[u8] = &[b'x'; 10_000];

#[get("/not-modified")]
fn not_modified() -> Custom {
    Custom(|| {
        Response::build()
            .status(Status::NotModified)
            .sized_body(9, Cursor::new("some text"))
            .finalize()
    })
}

#[get("/sought")]
fn sought() -> Custom {
    Custom(|| {
        Response::build()
            .sized_body(None, Cursor::new("sought"))
            .finalize()
    })
}

#[get("/chunks")]
fn chunks() -> Custom {
    Custom(|| {
        Response::build()
            .streamed_body(LONG)
            .max_chunk_size(1000)
            .finalize()
    })
}

#[get("/default-chunks")]
fn default_chunks() -> Custom {
    Custom(|| Response::build().streamed_body(LONG).finalize())
}

#[get("/declared")]
fn declared() -> Custom {
    Custom(|| {
        Response::build()
            .raw_header("Content-Length", "10000")
            .streamed_body(LONG)
            .finalize()
    })
}

#[get("/events")]
fn events() -> EventStream![] {
    EventStream! {
        for n in 0..3 {
            turn().await;
            yield Event::data(n.to_string());
        }
    }
    .heartbeat(None)
}

#[get("/stream")]
fn stream() -> TextStream![String] {
    TextStream! {
        for n in 0..3 {
            turn().await;
            yield n.to_string();
        }
    }
}

#[get("/panic")]
fn panics() {
    panic!("as asked for");
}

fn mounted(rocket: Rocket<Build>, wrap: impl Fn(Vec<Route>) -> Vec<Route>) -> Rocket<Build> {
    let routes = routes![
        text,
        empty,
        no_content,
        not_modified,
        sought,
        chunks,
        default_chunks,
        declared,
        events,
        stream,
        panics,
    ];
    let files = FileServer::from(env!("CARGO_MANIFEST_DIR"));
    rocket
        .mount("/", wrap(routes))
        .mount("/files", wrap(files.into()))
}

/// Returns everything that the server sends, without the date.
fn bytes(server: &Server, method: &str, path: &str, parent: &str) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{parent}\r\n");
    let all = exchange(server, &head).expect("a response");
    let lines = all
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("date: "));
    lines.collect()
}

fn exchange(server: &Server, head: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(server.addr())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(head.as_bytes())?;
    let mut all = String::new();
    socket.read_to_string(&mut all)?;
    Ok(all)
}

#[test]
fn traced_responses_equal_untraced_ones() {
    let (tracer, tracing) = in_memory();
    let untraced = Server::launch(mounted(rocket(), |routes| routes));
    let wrap = |routes| traced(&tracing, routes);
    let fairing = || TracingFairing::new(&tracing);
    let only_traced_routes = TracingFairing::only_traced_routes(&tracing);
    let servers = [
        (
            "fairing",
            Server::launch(mounted(rocket().attach(fairing()), |routes| routes)),
        ),
        (
            "routes",
            Server::launch(mounted(rocket().attach(only_traced_routes), wrap)),
        ),
        (
            "both",
            Server::launch(mounted(rocket().attach(fairing()), wrap)),
        ),
    ];
    let paths = [
        "/text",
        "/empty",
        "/no-content",
        "/not-modified",
        "/sought",
        "/chunks",
        "/default-chunks",
        "/declared",
        "/events",
        "/stream",
        "/panic",
        "/files/Cargo.toml",
        "/files/none",
        "/none",
    ];
    for path in paths {
        for method in ["GET", "HEAD", "POST"] {
            let expected = bytes(&untraced, method, path, "");
            assert!(
                expected.starts_with("HTTP/1.1 "),
                "{method} {path}: {expected}"
            );
            for (name, server) in &servers {
                for flags in ["01", "00"] {
                    let parent = format!(
                        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}\r\n"
                    );
                    assert_eq!(
                        bytes(server, method, path, &parent),
                        expected,
                        "{name}: {method} {path} {flags}"
                    );
                }
            }
        }
    }
    drop(servers);
    tracer.assert_nothing_unfinished();
    // The two servers whose fairing traces every request have a span for each.
    assert!(tracer.finished().len() >= 2 * 3 * paths.len());
}
