//! Traced routes do not launch without the fairing. This is a separate program, because a program has one logger and one log level.

mod common;

use std::sync::Mutex;

use common::{in_memory, rocket};
use log::{Level, LevelFilter, Log, Metadata, Record};
use opentracing_rocket::traced;
use rocket::error::ErrorKind;
use rocket::local::blocking::Client;
use rocket::{get, routes};

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
            let mut errors = ERRORS.lock().expect("a lock");
            errors.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[test]
fn launch_of_traced_routes_without_a_fairing_fails_and_logs_the_missing_line() {
    log::set_logger(&Collect).expect("the first logger");
    let (_, tracing) = in_memory();
    log::set_max_level(LevelFilter::Error);
    let rocket = rocket()
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
    let errors = ERRORS.lock().expect("a lock").join("\n");
    assert!(
        errors.contains(".attach(TracingFairing::new(&tracing))"),
        "{errors}"
    );
}
