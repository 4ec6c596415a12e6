//! A rocket on a free port, for the tests that want a real one.

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

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A rocket that serves on its own thread until it is dropped.
pub(crate) struct Server(Running);

impl Server {
    /// Launches a rocket; [`rocket`] makes one that fits.
    pub(crate) fn launch(rocket: Rocket<Build>) -> Self {
        Self::launch_in(multi_thread(), rocket)
    }

    /// Launches a rocket in this runtime.
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

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.addr())
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[])
    }

    /// The response to a request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut connection = Connection::open(self.addr());
        connection.request(method, path, headers);
        connection.response(method).expect("the server answers")
    }

    /// Waits until the rocket, which was told to shut down, has done so.
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

/// A rocket on a free port that logs nothing, listens to no signal and reads no configuration.
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
    // Without rocket's shield, whose headers come in another order in every rocket.
    rocket::custom(config).attach(Shield::new())
}

/// A tracer, and the default policy for it.
pub(crate) fn in_memory() -> (InMemoryTracer, HttpTracing) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), HttpTracing::new(tracer))
}

/// Waits for one span, and takes it.
pub(crate) fn one_span(tracer: &InMemoryTracer) -> FinishedSpan {
    let spans = tracer.wait_for(1, PATIENCE);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    tracer.take().remove(0)
}
