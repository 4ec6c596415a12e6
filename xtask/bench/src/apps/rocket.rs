//! Rocket, called through its local client.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::OnceLock;

use opentracing_http::HttpTracing;
use opentracing_rocket::{TracingFairing, traced as traced_routes};
use rocket::config::{Config, LogLevel, Shutdown};
use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::{Build, Rocket, Route, get, routes};
use tokio::runtime::Runtime;

use super::{App, Worker, hello, local_runtime, park, parked, runtime};
use crate::case::{Case, Mount};
use crate::request::{Context, PARKED, TARGET, headers};

#[get("/users/<_id>")]
async fn user(_id: u32) -> &'static str {
    hello().await
}

#[get("/parked/<_id>")]
async fn parked_user(_id: u32) -> &'static str {
    parked().await
}

pub(super) fn fairing_app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let tracing = tracing.cloned();
    Box::new(RocketApp {
        make: Box::new(move || match &tracing {
            Some(tracing) => mount(case)
                .attach(TracingFairing::new(tracing))
                .mount("/", handlers()),
            None => mount(case).mount("/", handlers()),
        }),
        client: OnceLock::new(),
        context: case.context,
    })
}

pub(super) fn routes_app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let tracing = tracing.cloned();
    Box::new(RocketApp {
        make: Box::new(move || match &tracing {
            Some(tracing) => mount(case)
                .attach(TracingFairing::new(tracing))
                .mount("/", traced_routes(tracing, handlers())),
            None => mount(case).mount("/", handlers()),
        }),
        client: OnceLock::new(),
        context: case.context,
    })
}

fn handlers() -> Vec<Route> {
    routes![user, parked_user]
}

/// A rocket on a free port that logs nothing and listens to no signal, with fairings that do nothing if the case wants them.
fn mount(case: Case) -> Rocket<Build> {
    let config = Config {
        port: 0,
        log_level: LogLevel::Off,
        shutdown: Shutdown {
            ctrlc: false,
            #[cfg(unix)]
            signals: std::collections::HashSet::new(),
            ..Shutdown::default()
        },
        ..Config::release_default()
    };
    let rocket = rocket::custom(config);
    match case.mount {
        Mount::Nothing => rocket
            .attach(AdHoc::on_request("nothing", |_, _| Box::pin(async {})))
            .attach(AdHoc::on_response("nothing", |_, _| Box::pin(async {}))),
        Mount::Bare | Mount::Traced(_) => rocket,
    }
}

struct RocketApp {
    make: Box<dyn Fn() -> Rocket<Build> + Send + Sync>,
    /// Made once: threads share it, as those of a server do, and while one is made Rocket writes lines to the log.
    client: OnceLock<&'static Client>,
    context: Context,
}

impl App for RocketApp {
    fn worker(&self) -> Box<dyn Worker> {
        let runtime = local_runtime();
        let client = self.client.get_or_init(|| {
            let client = runtime.block_on(Client::untracked((self.make)()));
            // Requests borrow it, those that are parked too. A process makes few of them.
            Box::leak(Box::new(client.expect("a rocket that ignites")))
        });
        Box::new(RocketWorker {
            runtime,
            client,
            requests: Vec::new(),
            context: self.context,
        })
    }

    fn serve(&self, threads: usize, ready: Box<dyn FnOnce(SocketAddr) + Send>) {
        let ready = std::sync::Mutex::new(Some(ready));
        let rocket = (self.make)().attach(AdHoc::on_liftoff("address", move |rocket| {
            let address = SocketAddr::new(rocket.config().address, rocket.config().port);
            if let Some(ready) = ready.lock().ok().and_then(|mut ready| ready.take()) {
                ready(address);
            }
            Box::pin(async {})
        }));
        let runtime = runtime(threads);
        let serving = runtime.spawn(async { rocket.launch().await.map(drop).map_err(drop) });
        let served = runtime.block_on(serving);
        assert!(matches!(served, Ok(Ok(()))), "a server that runs on");
    }
}

struct RocketWorker {
    runtime: Runtime,
    client: &'static Client,
    requests: Vec<LocalRequest<'static>>,
    context: Context,
}

impl RocketWorker {
    fn request(&self, target: &'static str) -> LocalRequest<'static> {
        let mut request = self.client.get(target);
        for (name, value) in headers(self.context) {
            request = request.header(Header::new(name, value));
        }
        request
    }
}

impl Worker for RocketWorker {
    fn prepare(&mut self, requests: u32) {
        for _ in 0..requests {
            let request = self.request(TARGET);
            self.requests.push(request);
        }
    }

    fn run(&mut self) {
        self.runtime.block_on(async {
            for request in self.requests.drain(..) {
                let response = request.dispatch().await;
                response.into_bytes().await;
            }
        });
    }

    #[cfg(test)]
    fn response(&mut self) -> (u16, Vec<u8>) {
        self.runtime.block_on(async {
            let response = self.request(TARGET).dispatch().await;
            let status = response.status().code;
            (status, response.into_bytes().await.unwrap_or_default())
        })
    }

    fn park(&mut self, requests: usize) -> Box<dyn Any> {
        let _entered = self.runtime.enter();
        let calls = (0..requests).map(|_| self.request(PARKED).dispatch());
        Box::new(park(calls))
    }
}
