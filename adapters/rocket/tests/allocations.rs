//! The allocations that tracing adds to a request.

mod common;

use std::sync::{Mutex, PoisonError};

use allocation_counter::measure;
use common::rocket;
use opentracing_http::{FinishedSpan, NoopTracer, Tracer};
use opentracing_rocket::{Attribute, HttpTracing, TracingFairing, traced};
use rocket::http::Header;
use rocket::local::asynchronous::Client;
use rocket::tokio::runtime;
use rocket::{Build, Rocket, get, routes};

/// A tracer that drops every span, so that only the request's own allocations are counted.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

#[get("/users/<id>")]
async fn user(id: &str) -> &'static str {
    rocket::tokio::task::yield_now().await;
    let _ = id;
    "hello"
}

fn tracing() -> HttpTracing {
    HttpTracing::builder(Discard)
        .attributes([
            Attribute::USER_AGENT,
            Attribute::header(http::header::ACCEPT),
        ])
        .build()
        .expect("the policy is right")
}

fn fairing(tracing: &HttpTracing) -> Rocket<Build> {
    rocket().attach(TracingFairing::new(tracing))
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Returns the number of allocations of one request, from its dispatch to the last byte of its body. One thread runs all of it.
///
/// Each request is a new one, because clones share the local cache. Its creation is not counted.
fn allocations(rocket: impl FnOnce() -> Rocket<Build>, traceparent: &'static str) -> u64 {
    // Rocket has one log level for the process, and raises it while it builds an instance. Logged lines would be counted.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let client = runtime
        .block_on(Client::untracked(rocket()))
        .expect("a client");
    let once = || {
        let mut request = client.get("/users/7?page=2");
        for (name, value) in [
            ("host", "shop.example"),
            ("user-agent", "curl/8.5.0"),
            ("accept", "text/html,application/xhtml+xml"),
            ("accept-encoding", "gzip, br"),
            ("accept-language", "en"),
            ("connection", "keep-alive"),
            ("cache-control", "no-cache"),
            ("traceparent", traceparent),
        ] {
            request.add_header(Header::new(name, value));
        }
        let info = measure(|| {
            runtime.block_on(async {
                let body = request.dispatch().await.into_bytes().await;
                assert_eq!(body.as_deref(), Some(&b"hello"[..]));
            });
        });
        info.count_total
    };
    // The first request fills thread-locals and lazy statics.
    once();
    once()
}

fn bare() -> u64 {
    allocations(|| rocket().mount("/", routes![user]), SAMPLED)
}

/// Returns the number that the fairing adds.
fn with_fairing(tracing: &HttpTracing, traceparent: &'static str) -> u64 {
    allocations(|| fairing(tracing).mount("/", routes![user]), traceparent) - bare()
}

/// Returns the number that the fairing and the traced route add.
fn with_both(tracing: &HttpTracing, traceparent: &'static str) -> u64 {
    allocations(
        || fairing(tracing).mount("/", traced(tracing, routes![user])),
        traceparent,
    ) - bare()
}

/// Returns the number that the traced route and the fairing for traced routes add.
fn with_routes(tracing: &HttpTracing, traceparent: &'static str) -> u64 {
    let rocket = || {
        rocket()
            .attach(TracingFairing::only_traced_routes(tracing))
            .mount("/", traced(tracing, routes![user]))
    };
    allocations(rocket, traceparent) - bare()
}

/// Rocket allocates the map of the request's local cache and a box for the cached value.
const LOCAL_CACHE: u64 = 2;

/// Rocket requires a boxed future from a handler.
const FUTURE: u64 = 1;

#[test]
fn request_that_is_not_recorded_costs_the_local_cache() {
    assert_eq!(with_fairing(&tracing(), UNSAMPLED), LOCAL_CACHE);
    assert_eq!(
        with_fairing(&HttpTracing::new(NoopTracer), SAMPLED),
        LOCAL_CACHE
    );
}

#[test]
fn traced_route_costs_a_boxed_future() {
    let tracing = tracing();
    assert_eq!(with_both(&tracing, UNSAMPLED), LOCAL_CACHE + FUTURE);
    assert_eq!(with_routes(&tracing, UNSAMPLED), LOCAL_CACHE + FUTURE);
}

#[test]
fn route_that_is_not_recorded_costs_the_local_cache() {
    let tracing = tracing();
    let untraced = || {
        rocket()
            .attach(TracingFairing::only_traced_routes(&tracing))
            .mount("/", routes![user])
    };
    assert_eq!(allocations(untraced, SAMPLED) - bare(), LOCAL_CACHE);
}

#[test]
fn recorded_request_costs_a_boxed_body() {
    // Rocket requires a boxed body.
    let recorded = 1;
    assert_eq!(with_fairing(&tracing(), SAMPLED), LOCAL_CACHE + recorded);
    assert_eq!(
        with_both(&tracing(), SAMPLED),
        LOCAL_CACHE + FUTURE + recorded
    );
    assert_eq!(
        with_routes(&tracing(), SAMPLED),
        LOCAL_CACHE + FUTURE + recorded
    );
}
