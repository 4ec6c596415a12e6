//! A Rocket server on a free port.

// Not every test uses all of it.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer};
use opentracing_testkit::client::{Connection, Response};
use opentracing_testkit::server::Running;
use rocket::config::LogLevel;
use rocket::fairing::AdHoc;
use rocket::shield::Shield;
use rocket::tokio::{runtime, select, sync::oneshot};
use rocket::{Build, Config, Rocket, config};

/// The time that a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A Rocket server on its own thread. It stops when this is dropped.
pub(crate) struct Server(Running);

impl Server {
    /// Launches an instance, which [`rocket`] creates.
    pub(crate) fn launch(rocket: Rocket<Build>) -> Self {
        Self::launch_in(multi_thread(), rocket)
    }

    /// Launches an instance in this runtime.
    pub(crate) fn launch_in(runtime: runtime::Runtime, rocket: Rocket<Build>) -> Self {
        let (landed, address) = mpsc::channel();
        let rocket = rocket.attach(AdHoc::on_liftoff("Address", move |rocket| {
            Box::pin(async move {
                let config = rocket.config();
                let _ = landed.send(SocketAddr::new(config.address, config.port));
            })
        }));
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                select! {
                    launched = rocket.launch() => assert!(launched.is_ok(), "{launched:?}"),
                    _ = stopped => {}
                }
            });
        });
        let addr = address.recv_timeout(PATIENCE);
        let addr = addr.expect("the rocket lifts off");
        Self(Running::new(addr, thread, || drop(stop)))
    }

    /// Returns the address that it listens on.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.addr())
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[])
    }

    /// Sends a request on a new connection, and returns the response.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut connection = Connection::open(self.addr());
        connection.request(method, path, headers);
        connection.response(method).expect("the server answers")
    }

    /// Waits until the server has stopped. Call it after a notification of its shutdown.
    pub(crate) fn land(self) {
        self.0.join();
    }
}

pub(crate) fn multi_thread() -> runtime::Runtime {
    runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Returns an instance for a free port that logs nothing, handles no signal and reads no configuration.
pub(crate) fn rocket() -> Rocket<Build> {
    let config = Config {
        port: 0,
        log_level: LogLevel::Off,
        shutdown: config::Shutdown {
            ctrlc: false,
            #[cfg(unix)]
            signals: Default::default(),
            ..Default::default()
        },
        ..Config::debug_default()
    };
    // Without Rocket's shield, because the order of its headers differs between instances.
    rocket::custom(config).attach(Shield::new())
}

/// Returns a tracer and the default policy with it.
pub(crate) fn in_memory() -> (InMemoryTracer, HttpTracing) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), HttpTracing::new(tracer))
}

/// Waits for one span, removes it from the tracer, and returns it.
pub(crate) fn one_span(tracer: &InMemoryTracer) -> FinishedSpan {
    let spans = tracer.wait_for(1, PATIENCE);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    tracer.take().remove(0)
}
