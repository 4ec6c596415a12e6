//! One application per framework, with the same two routes, called without sockets or served.

#[cfg(feature = "actix-web")]
mod actix_web;
#[cfg(feature = "axum")]
mod axum;
mod core;
mod layer;
mod parts;
#[cfg(feature = "rocket")]
mod rocket;
mod service;
mod tower;
#[cfg(feature = "warp")]
mod warp;

use std::any::Any;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use opentracing_http::HttpTracing;

use crate::Problem;
use crate::case::Case;
use crate::policy::tracing;
use crate::receivers::Addresses;

/// A measured target: a framework, and how tracing is mounted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Spans and headers alone, without a request.
    Parts,
    /// The layer for `tracing`'s spans, without a request.
    TracingLayer,
    /// The core's side of a request, as an adapter calls it.
    Core,
    Tower,
    Axum,
    ActixWeb,
    /// A tower layer round `warp::service`.
    WarpLayer,
    /// `.traced(…)` on warp's filters.
    WarpFilter,
    /// The fairing alone.
    RocketFairing,
    /// The fairing and traced routes.
    RocketRoutes,
}

/// An application with one case mounted. Threads share it, as in a server.
pub(crate) trait App: Send + Sync {
    /// Creates a caller of the application for this thread.
    fn worker(&self) -> Box<dyn Worker>;

    /// Serves the application with this many threads until the process ends. Calls `ready` when it listens.
    fn serve(&self, threads: usize, ready: Box<dyn FnOnce(SocketAddr) + Send>);
}

/// Calls an application on one thread.
pub(crate) trait Worker {
    /// Creates this many requests.
    fn prepare(&mut self, requests: u32);

    /// Calls the application with each created request, to the end of the response's body.
    fn run(&mut self);

    /// Returns the status and the body of one response, so that an error cannot go unnoticed.
    #[cfg(test)]
    fn response(&mut self) -> (u16, Vec<u8>);

    /// Calls the handler that never returns this many times. The requests end when the returned value is dropped.
    fn park(&mut self, requests: usize) -> Box<dyn Any>;
}

/// Number of requests that are created at once for time measurements: enough that reading the clock does not matter,
/// and few, because a server has few requests in memory for each thread, and the allocator is slower with many.
const CHUNK: u32 = 8;

impl dyn Worker + '_ {
    /// Calls the application this many times, and returns the clock's difference, without the time for creating the
    /// requests.
    pub(crate) fn timed(&mut self, requests: u32, clock: impl Fn() -> Duration) -> Duration {
        let mut time = Duration::ZERO;
        let mut left = requests;
        while left > 0 {
            let chunk = left.min(CHUNK);
            left -= chunk;
            self.prepare(chunk);
            let start = clock();
            self.run();
            time += clock().saturating_sub(start);
        }
        time
    }

    /// Calls the application so many times.
    pub(crate) fn call(&mut self, requests: u32) {
        self.timed(requests, || Duration::ZERO);
    }
}

/// An application and its policy.
pub(crate) struct Mounted {
    pub(crate) app: Box<dyn App>,
    pub(crate) tracing: Option<HttpTracing>,
}

impl Target {
    pub(crate) const ALL: [Self; 10] = [
        Self::Parts,
        Self::TracingLayer,
        Self::Core,
        Self::Tower,
        Self::Axum,
        Self::ActixWeb,
        Self::WarpLayer,
        Self::WarpFilter,
        Self::RocketFairing,
        Self::RocketRoutes,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::TracingLayer => "tracing layer",
            Self::Core => "core",
            Self::Tower => "tower",
            Self::Axum => "axum",
            Self::ActixWeb => "actix-web",
            Self::WarpLayer => "warp layer",
            Self::WarpFilter => "warp filter",
            Self::RocketFairing => "rocket fairing",
            Self::RocketRoutes => "rocket routes",
        }
    }

    /// Returns the target with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Returns the targets that this build has.
    pub(crate) fn built() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|target| match target {
            Self::Parts | Self::TracingLayer | Self::Core | Self::Tower => true,
            Self::Axum => cfg!(feature = "axum"),
            Self::ActixWeb => cfg!(feature = "actix-web"),
            Self::WarpLayer | Self::WarpFilter => cfg!(feature = "warp"),
            Self::RocketFairing | Self::RocketRoutes => cfg!(feature = "rocket"),
        })
    }

    /// Returns the cases of this target that this build has.
    pub(crate) fn cases(self) -> Vec<Case> {
        match self {
            Self::Parts => parts::CASES.to_vec(),
            Self::TracingLayer => layer::CASES.to_vec(),
            _ => crate::case::CASES
                .into_iter()
                .filter(|case| case.is_built())
                // The core has no layers.
                .filter(|case| self != Self::Core || case.name != crate::case::NOTHING)
                .collect(),
        }
    }

    /// Returns the case with this name.
    pub(crate) fn case(self, name: &str) -> Result<Case, Problem> {
        let mut cases = self.cases().into_iter();
        let case = cases.find(|case| case.name == name);
        case.ok_or_else(|| Problem(format!("{} has no case {name:?}", self.name())))
    }

    /// Returns `true` if the target can be served.
    pub(crate) const fn is_served(self) -> bool {
        self.has_requests() && !matches!(self, Self::Core)
    }

    /// Returns `true` if the target is called with requests.
    pub(crate) const fn has_requests(self) -> bool {
        !matches!(self, Self::Parts | Self::TracingLayer)
    }

    /// Makes the application.
    pub(crate) fn mount(self, case: Case, addresses: &Addresses) -> Mounted {
        let tracing = case.policy().map(|policy| tracing(policy, addresses));
        let app = self.app(case, tracing.as_ref());
        Mounted { app, tracing }
    }

    fn app(self, case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
        match self {
            Self::Parts => parts::app(case, tracing),
            Self::TracingLayer => layer::app(case, tracing),
            Self::Core => core::app(case, tracing),
            Self::Tower => tower::app(case, tracing),
            #[cfg(feature = "axum")]
            Self::Axum => axum::app(case, tracing),
            #[cfg(feature = "actix-web")]
            Self::ActixWeb => actix_web::app(case, tracing),
            #[cfg(feature = "warp")]
            Self::WarpLayer => warp::layer_app(case, tracing),
            #[cfg(feature = "warp")]
            Self::WarpFilter => warp::filter_app(case, tracing),
            #[cfg(feature = "rocket")]
            Self::RocketFairing => rocket::fairing_app(case, tracing),
            #[cfg(feature = "rocket")]
            Self::RocketRoutes => rocket::routes_app(case, tracing),
            #[allow(unreachable_patterns)]
            _ => unreachable!("`Target::built` leaves these targets out"),
        }
    }
}

/// The handler of the request: waits once, then returns five bytes.
async fn hello() -> &'static str {
    tokio::task::yield_now().await;
    "hello"
}

/// The handler of the request that is parked.
async fn parked() -> &'static str {
    std::future::pending().await
}

/// Polls each of these futures until it waits for something other than its next poll.
fn park<F: Future>(futures: impl Iterator<Item = F>) -> Vec<Pin<Box<F>>> {
    let mut context = Context::from_waker(Waker::noop());
    let mut parked: Vec<_> = Vec::with_capacity(futures.size_hint().0);
    for future in futures {
        let mut future = Box::pin(future);
        for _ in 0..3 {
            let poll = future.as_mut().poll(&mut context);
            assert!(matches!(poll, Poll::Pending), "the handler never returns");
        }
        parked.push(future);
    }
    parked
}

/// Makes a runtime that serves with so many threads.
fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Makes a runtime for the calls of one thread.
fn local_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Makes a socket on a free port for tokio.
fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .set_nonblocking(true)
        .expect("a socket that tokio takes");
    listener
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Mount;
    use crate::receivers::Receivers;

    #[test]
    fn every_case_of_every_target_returns_what_its_handler_returns() {
        let receivers = Receivers::start().expect("receivers");
        for target in Target::built() {
            for case in target.cases() {
                let mounted = target.mount(case, &receivers.addresses);
                let mut worker = mounted.app.worker();
                worker.call(2);
                let name = format!("{} {}", target.name(), case.name);
                let expected = match target.has_requests() {
                    false => Vec::new(),
                    true => b"hello".to_vec(),
                };
                assert_eq!(worker.response(), (200, expected), "{name}");
                if target.has_requests() {
                    drop(worker.park(2));
                }
            }
        }
    }

    #[test]
    fn every_target_traces_only_where_its_case_says_so() {
        use opentracing_http::InMemoryTracer;

        for target in Target::built().filter(|target| target.has_requests()) {
            for case in target.cases() {
                let tracer = InMemoryTracer::new();
                let tracing = HttpTracing::builder(tracer.clone()).build();
                let tracing = tracing.expect("a policy");
                let traced = matches!(case.mount, Mount::Traced(_));
                // The policy is not the case's: of the case only headers and mount count here.
                let app = target.app(case, traced.then_some(&tracing));
                app.worker().call(3);
                let spans = tracer.finished();
                let sampled = !case.name.starts_with("unsampled");
                let expected = if traced && sampled { 3 } else { 0 };
                assert_eq!(spans.len(), expected, "{} {}", target.name(), case.name);
            }
        }
    }
}
