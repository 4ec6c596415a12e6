//! What a whole service does, seen from outside: requests go in, finished spans come out.
//!
//! The cases know nothing of what is inside: a process of its own, or a server on a thread; one framework or another; any
//! tracer whose spans can be read where they are received. Each starts a service of its own, drives it over sockets, stops it and looks at all that it
//! has exported.

mod caller;
pub mod cases;
mod kit;
mod list;
mod next;
mod routes;
mod spans;

use std::net::SocketAddr;
use std::time::Duration;

use crate::tracer::ReceivedSpan;

pub use self::list::{CASES, declare};
pub use self::routes::{Lasting, Offered, Route, Routes, Template};

/// How long a service may take to start, and to stop.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A service under test.
///
/// It has to follow its callers, and to record everything else; to read the trace headers of W3C, of Jaeger and of B3, and to
/// write those of W3C where it calls others.
/// Dropping it without [`stop`](Self::stop), as a case that fails does, must leave nothing behind: kill the process, or stop the
/// server.
pub trait Service: Sized {
    /// Its routes, and what is expected of each.
    const ROUTES: Routes;

    /// Starts the service on a free port, and waits until it listens.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`PATIENCE`].
    fn start() -> Self;

    /// Returns the address that it listens on.
    fn addr(&self) -> SocketAddr;

    /// Asks the service to stop, waits for its end, and returns every span that it has exported, in any order. Requests that have
    /// begun still get their responses.
    ///
    /// Tags have the names of OpenTracing or of OpenTelemetry, and any type: they are compared as they are shown. A span's kind
    /// is its tag `span.kind`.
    ///
    /// # Panics
    ///
    /// If it does not end well, or that takes longer than [`PATIENCE`].
    fn stop(self) -> Vec<ReceivedSpan>;
}
