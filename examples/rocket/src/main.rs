//! The example service in Rocket.

use std::error::Error;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use example_shared::Answer;
use opentracing_rocket::{Attribute, CurrentSpan, Span, TracingFairing, traced};
use rocket::config::{Config, LogLevel, Shutdown};
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::response::status::Custom;
use rocket::response::stream::TextStream;
use rocket::{Route, get, routes, tokio};

#[rocket::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Before Rocket, which otherwise installs a logger of its own.
    log_lines(&example_shared::levels("example-rocket"));
    let tracing = example_shared::tracing("example-rocket");
    // The spans of one route have these attributes as tags, in addition to the default tags.
    let attributes = [Attribute::URL, "header:x-request-id".parse()?];
    let chosen = traced(
        tracing.mount_point().attributes(attributes),
        routes![chosen],
    );
    let rocket = rocket::custom(config())
        // Traces every request, also those that match no route.
        .attach(TracingFairing::new(&tracing))
        .attach(ready())
        // In traced routes the span is also the current one.
        .mount("/", traced(&tracing, routes()))
        .mount("/shops", traced(&tracing, routes![item]))
        .mount("/", chosen)
        .ignite()
        .await?;

    let shutdown = rocket.shutdown();
    let mut launch = pin!(rocket.launch());
    // Not from another task: Rocket 0.5 can end without waiting for its requests if it is notified while it is polled.
    let landed = tokio::select! {
        landed = &mut launch => landed,
        () = example_shared::stopped() => {
            shutdown.notify();
            launch.await
        }
    };
    // Even if there are unfinished requests.
    example_shared::flush(&tracing);
    landed?;
    Ok(())
}

/// Writes log lines with the ids of the current span to the standard error output.
fn log_lines(levels: &str) {
    env_logger::Builder::new()
        .parse_filters(levels)
        .format(|line, record| {
            let (time, ids) = (line.timestamp_millis(), Span::current().log_ids());
            let (level, target, text) = (record.level(), record.target(), record.args());
            writeln!(line, "{time} {level:5} {target}: {text}{ids:#}")
        })
        .init();
}

fn routes() -> Vec<Route> {
    routes![
        hello, error, panic, stream, slow, call, chain, child, log, baggage, health
    ]
}

fn config() -> Config {
    let address = example_shared::address(0);
    Config {
        address: address.ip(),
        port: address.port(),
        log_level: LogLevel::Off,
        shutdown: Shutdown {
            ctrlc: false,
            ..Shutdown::default()
        },
        ..Config::default()
    }
}

fn ready() -> AdHoc {
    AdHoc::on_liftoff("ready", |rocket| {
        Box::pin(async {
            let config = rocket.config();
            example_shared::ready((config.address, config.port).into());
        })
    })
}

#[get("/")]
fn hello() -> &'static str {
    "hello"
}

#[get("/<shop>/items/<id>")]
fn item(shop: &str, id: &str) -> String {
    format!("item {id} of {shop}")
}

#[get("/error")]
fn error() -> Result<&'static str, Custom<&'static str>> {
    Err(Custom(Status::ServiceUnavailable, "not ready"))
}

#[get("/panic")]
fn panic() -> &'static str {
    panic!("asked to panic")
}

#[get("/stream")]
fn stream() -> TextStream![&'static str] {
    TextStream::from(example_shared::chunks())
}

#[get("/slow?<ms>")]
async fn slow(ms: Option<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms.unwrap_or(1000))).await;
    "done"
}

#[get("/call?<to>")]
async fn call(span: CurrentSpan, to: &str) -> Custom<String> {
    pass_on(example_shared::call(&span, to).await)
}

#[get("/chain?<to>")]
async fn chain(span: CurrentSpan, to: &str) -> Custom<String> {
    pass_on(example_shared::chain(&span, to).await)
}

#[get("/child")]
async fn child(span: CurrentSpan) -> String {
    let compute = span.child("compute");
    let answer = 6 * 7;
    compute.set_tag("answer", answer);
    answer.to_string()
}

#[get("/log")]
async fn log(span: CurrentSpan) -> &'static str {
    span.log((("event", "priced"), ("cart.items", 3)));
    ::log::info!("priced the cart");
    "logged"
}

#[get("/baggage?<set>&<get>&<to>")]
async fn baggage(
    span: CurrentSpan,
    set: Option<&str>,
    get: Option<&str>,
    to: Option<&str>,
) -> Custom<String> {
    if let Some((key, value)) = set.and_then(|item| item.split_once(':')) {
        span.set_baggage_item(key, value);
    }
    if let Some(to) = to {
        return pass_on(example_shared::call(&span, to).await);
    }
    let item = get.and_then(|key| span.baggage_item(key));
    Custom(Status::Ok, item.unwrap_or_default())
}

#[get("/chosen")]
fn chosen() -> &'static str {
    "hello"
}

#[get("/health")]
fn health() -> &'static str {
    "healthy"
}

fn pass_on(answer: Answer) -> Custom<String> {
    Custom(Status::new(answer.status), answer.body)
}
