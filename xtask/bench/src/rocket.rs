//! Rocket, called through its local client.

use opentracing_rocket::{HttpTracing, TracingFairing, traced as traced_routes};
use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, get, routes};

use crate::measure::{BARE, Bench};
use crate::variant::{HEADERS, SAMPLED, traced};

#[get("/users/<_id>")]
async fn user(_id: u32) -> &'static str {
    tokio::task::yield_now().await;
    "hello"
}

fn app() -> Rocket<Build> {
    let quiet = rocket::Config {
        log_level: rocket::config::LogLevel::Off,
        ..rocket::Config::default()
    };
    rocket::custom(quiet)
}

pub(crate) fn fairing_benches() -> Vec<Bench> {
    benches(|tracing| {
        app()
            .attach(TracingFairing::new(tracing))
            .mount("/", routes![user])
    })
}

pub(crate) fn route_benches() -> Vec<Bench> {
    benches(|tracing| {
        app()
            .attach(TracingFairing::new(tracing))
            .mount("/", traced_routes(tracing, routes![user]))
    })
}

fn benches(app_with: impl Fn(&HttpTracing) -> Rocket<Build>) -> Vec<Bench> {
    let nothing = app()
        .attach(AdHoc::on_request("nothing", |_, _| Box::pin(async {})))
        .attach(AdHoc::on_response("nothing", |_, _| Box::pin(async {})));
    let mut benches = vec![
        bench(BARE, app().mount("/", routes![user]), SAMPLED),
        bench(
            "fairings that do nothing",
            nothing.mount("/", routes![user]),
            SAMPLED,
        ),
    ];
    benches.extend(
        traced().map(|traced| bench(traced.name, app_with(&traced.tracing), traced.traceparent)),
    );
    benches
}

fn bench(name: &str, rocket: Rocket<Build>, traceparent: &'static str) -> Bench {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let client = runtime
        .block_on(Client::untracked(rocket))
        .expect("a rocket that ignites");
    Bench::new(name, move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let mut request = client.get("/users/7?page=2");
                for (name, value) in HEADERS {
                    request = request.header(Header::new(name, value));
                }
                let response = request
                    .header(Header::new("traceparent", traceparent))
                    .dispatch()
                    .await;
                response.into_bytes().await;
            }
        });
    })
}
