//! The warning about untraced routes at lift-off. This is a separate program, because a program has one logger and one log level.

mod common;

use std::sync::Mutex;

use common::{Server, in_memory, rocket};
use log::{Level, LevelFilter, Log, Metadata, Record};
use opentracing_rocket::{TracingFairing, traced};
use rocket::http::Method;
use rocket::local::blocking::Client;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Build, Data, Request, Rocket, async_trait, get, routes};

#[get("/hello/<_name>?<_loud>")]
fn hello(_name: &str, _loud: bool) -> &'static str {
    "hello"
}

#[get("/bye")]
fn bye() -> &'static str {
    "bye"
}

/// A handler around another one, as a fairing of some other package could install it.
#[derive(Clone)]
struct Around(Box<dyn Handler>);

#[async_trait]
impl Handler for Around {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        self.0.handle(request, data).await
    }
}

/// The warnings of this package that were logged.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collect;

impl Log for Collect {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() == Level::Warn && record.target().starts_with("opentracing_rocket") {
            let mut warnings = WARNINGS.lock().expect("a lock");
            warnings.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Launches the instance, and returns the warnings of its lift-off.
fn warnings(rocket: Rocket<Build>) -> Vec<String> {
    let client = Client::untracked(rocket).expect("it lifts off");
    assert!(client.rocket().routes().count() > 0);
    std::mem::take(&mut *WARNINGS.lock().expect("a lock"))
}

#[test]
fn routes_without_traced_are_named_once_at_lift_off() {
    log::set_logger(&Collect).expect("the first logger");
    log::set_max_level(LevelFilter::Warn);
    let (_, tracing) = in_memory();
    let all = || rocket().attach(TracingFairing::new(&tracing));
    let none = [""; 0];

    let every_route_is_traced = all()
        .mount("/", traced(&tracing, routes![bye]))
        .mount("/in", traced(&tracing, routes![hello]));
    assert_eq!(warnings(every_route_is_traced), none);

    let mut wrapped = traced(&tracing, routes![hello]);
    wrapped[0].handler = Box::new(Around(wrapped[0].handler.clone()));
    assert_eq!(warnings(all().mount("/", wrapped)), none);

    let chosen = rocket()
        .attach(TracingFairing::only_traced_routes(&tracing))
        .mount("/", traced(&tracing, routes![bye]))
        .mount("/in", routes![hello]);
    assert_eq!(warnings(chosen), none);

    // Two fairings of one policy, as a service has by mistake, warn once. So does one that is served.
    let mixed = || {
        all()
            .attach(TracingFairing::new(&tracing))
            .mount("/", traced(&tracing, routes![bye]))
            .mount("/in", routes![hello])
    };
    drop(Server::launch(mixed()));
    let served = std::mem::take(&mut *WARNINGS.lock().expect("a lock"));
    assert_eq!(served, warnings(mixed()));
    let [warning] = &served[..] else {
        panic!("{served:?}");
    };
    let start =
        "Routes mounted without `traced`: GET /in/hello/<_name>?<_loud> (hello). Their requests";
    assert!(warning.starts_with(start), "{warning}");

    let handler = routes![bye].remove(0).handler;
    let many =
        (0..250).map(|n| Route::new(Method::Post, &format!("/{n}"), Around(handler.clone())));
    let many = warnings(all().mount("/", many.collect::<Vec<_>>()));
    let named: Vec<_> = (0..10).map(|n| format!("POST /{n}")).collect();
    let named = named.join(", ");
    assert!(
        many[0].contains(&format!("`traced`: {named} and 240 more. ")),
        "{many:?}"
    );
    assert_eq!(many.len(), 1);
}
