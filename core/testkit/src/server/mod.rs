//! What a server adapter does.

pub mod cases;
mod kit;

use std::fmt;
use std::net::SocketAddr;

use crate::app::App;

pub use self::kit::Kit;

/// A framework's server with the application of [`app`](crate::app), traced by the adapter under test.
///
/// It runs on a thread of its own, on 127.0.0.1 and a free port, and stops when it is dropped.
pub trait Server: Sized {
    /// What the framework can and cannot do.
    const CAPABILITIES: Capabilities;

    /// Starts a server; with `app.tracing` everywhere, and on `/chosen` once more, or untraced.
    fn start(app: App) -> Self;

    /// Where it listens.
    fn addr(&self) -> SocketAddr;
}

/// What a framework can and cannot do. No case is skipped for it: the case then asserts the documented fallback.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// The framework's name, as it stands in the tag `component`.
    pub component: &'static str,
    /// The template of `/items/{id}`, as the framework writes it; `None` if it has no routes.
    pub item: Option<&'static str>,
    /// The template of `/nested/items/{id}`.
    pub nested_item: Option<&'static str>,
    /// What becomes of a panic in a handler.
    pub panic: Panic,
    /// What becomes of a handler whose client has hung up.
    pub hang_up: HangUp,
    /// Whether the message of a handler's error reaches the adapter.
    pub error_message: bool,
    /// Whether the adapter knows the peer's address.
    pub peer: bool,
}

/// What becomes of a panic in a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panic {
    /// The connection is closed without a response.
    ClosesTheConnection,
    /// The framework makes it a 500.
    Answers500,
}

/// What becomes of a handler whose client has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// It is dropped.
    Cancels,
    /// It runs to its end, and only then the connection is found to be gone.
    RunsOn,
}

impl Capabilities {
    /// What the span of a `GET` to a route of this template is called.
    #[must_use]
    pub fn name(template: Option<&str>) -> String {
        template.map_or_else(|| "GET".to_owned(), |template| format!("GET {template}"))
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.component)
    }
}
