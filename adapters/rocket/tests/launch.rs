//! Traced routes do not launch without the fairing.

mod common;

use std::sync::Mutex;

use common::{in_memory, rocket};
use log::{Level, Log, Metadata, Record};
use opentracing_rocket::{TracingFairing, traced};
use rocket::config::LogLevel;
use rocket::error::ErrorKind;
use rocket::local::blocking::Client;
use rocket::{Config, get, routes};

#[get("/hello")]
fn hello() -> &'static str {
    "hello"
}

/// The errors that were logged.
static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collect;

impl Log for Collect {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() == Level::Error {
            ERRORS.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[test]
fn traced_routes_without_a_fairing_are_refused_with_the_line_to_add() {
    log::set_logger(&Collect).expect("the first logger");
    let (_, tracing) = in_memory();
    let config = Config {
        log_level: LogLevel::Critical,
        ..rocket().figment().extract().expect("a configuration")
    };
    let rocket = rocket()
        .configure(config)
        .mount("/", traced(&tracing, routes![hello]))
        .mount("/again", traced(&tracing, routes![hello]));

    let refused = Client::untracked(rocket).map(drop).expect_err("no fairing");
    let ErrorKind::SentinelAborts(sentinels) = refused.kind() else {
        panic!("{refused:?}");
    };
    assert_eq!(sentinels.len(), 2);
    assert!(
        sentinels[0]
            .type_name
            .ends_with("TracedRoutesNeedTracingFairing")
    );
    let errors = ERRORS.lock().unwrap().join("\n");
    assert!(
        errors.contains(".attach(TracingFairing::new(&tracing))"),
        "{errors}"
    );
}

#[test]
fn traced_routes_launch_with_either_form_of_the_fairing_wherever_it_is_attached() {
    let (tracer, tracing) = in_memory();
    for fairing in [
        TracingFairing::new(&tracing),
        TracingFairing::only_traced_routes(&tracing),
    ] {
        let rocket = rocket()
            .mount("/", traced(&tracing, routes![hello]))
            // Twice at one base, and twice round one route.
            .mount("/", traced(&tracing, traced(&tracing, routes![other])))
            .attach(fairing);
        let client = Client::untracked(rocket).expect("it launches");
        for path in ["/hello", "/other"] {
            let response = client.get(path).dispatch();
            assert_eq!(response.into_string().as_deref(), Some("hello"));
            assert_eq!(common::one_span(&tracer).name(), format!("GET {path}"));
        }
    }
}

#[get("/other")]
fn other() -> &'static str {
    "hello"
}

#[test]
fn the_route_of_the_sentinel_answers_nothing() {
    let (tracer, tracing) = in_memory();
    let rocket = rocket()
        .attach(TracingFairing::only_traced_routes(&tracing))
        .mount("/", traced(&tracing, routes![hello]));
    let client = Client::untracked(rocket).expect("it launches");
    let connect = client.req(rocket::http::Method::Connect, "/");
    assert_eq!(connect.dispatch().status().code, 404);
    assert!(tracer.finished().is_empty());
}
