//! Log lines in a rocket whose application installed a logger first.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Mutex;

use common::{PATIENCE, Server, in_memory, rocket};
use log::{LevelFilter, Log, Metadata, Record};
use opentracing_rocket::{Span, TracingFairing, traced};
use rocket::response::stream::TextStream;
use rocket::{get, routes};

/// A logger that keeps the lines, with the ids that are current.
struct Lines(Mutex<Vec<(String, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let ids = Span::current().log_ids().to_string();
        let line = (record.args().to_string(), ids);
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

impl Lines {
    /// Returns the ids of the only line that contains this.
    fn ids(&self, text: &str) -> String {
        let lines = self.0.lock().unwrap();
        let mut found = lines.iter().filter(|(line, _)| line.contains(text));
        let (Some((_, ids)), None) = (found.next(), found.next()) else {
            panic!("one line has {text:?}: {lines:#?}");
        };
        ids.clone()
    }
}

#[get("/")]
fn handler() -> TextStream![&'static str] {
    ::log::info!("in the handler");
    TextStream! {
        yield "one";
        ::log::info!("in the body");
        yield "two";
    }
}

#[test]
fn lines_of_traced_handlers_have_ids_and_rocket_s_own_lines_have_none() {
    // Before the rocket is built, which otherwise installs a logger of its own.
    ::log::set_logger(&LINES).unwrap();
    ::log::set_max_level(LevelFilter::Info);
    let (tracer, tracing) = in_memory();
    let build = rocket().attach(TracingFairing::new(&tracing));
    let server = Server::launch(
        build
            .mount("/traced", traced(&tracing, routes![handler]))
            .mount("/plain", routes![handler]),
    );
    LINES.0.lock().unwrap().clear();
    assert_eq!(server.get("/traced").text(), "onetwo");
    let span = tracer.wait_for(1, PATIENCE).remove(0);
    let context = span.context();
    let ids = format!(
        "trace_id={} span_id={}",
        context.trace_id(),
        context.span_id()
    );
    assert_eq!(LINES.ids("in the handler"), ids);
    assert_eq!(LINES.ids("in the body"), ids);
    // Rocket writes them before and after it calls the route.
    assert_eq!(LINES.ids("GET /traced:"), "");
    assert_eq!(LINES.ids("Outcome: "), "");

    LINES.0.lock().unwrap().clear();
    assert_eq!(server.get("/plain").text(), "onetwo");
    assert_eq!(LINES.ids("in the handler"), "");
    // The fairing has replaced the body.
    assert!(LINES.ids("in the body").starts_with("trace_id="));
}
