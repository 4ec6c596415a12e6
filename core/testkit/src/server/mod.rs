//! What a server adapter does.

mod capabilities;
pub mod cases;
mod kit;
mod list;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use crate::app::App;

pub(crate) use self::capabilities::asked;
pub use self::capabilities::{Capabilities, Feature, HangUp, Panic};
pub use self::kit::{Kit, Setup};
pub use self::list::{CASES, declare};

/// A framework's server with the application of [`app`](crate::app), traced by the adapter under test.
///
/// It runs on a thread of its own, on 127.0.0.1 and a free port, and stops when it is dropped.
///
/// For a framework that blocks: a handler's [`play`](App::play) is driven by [`block_on`](crate::app::block_on), a task is spawned
/// on a thread of its own, and there must be a thread for each request that is served at the same time.
pub trait Server: Sized + 'static {
    /// What the framework can and cannot do.
    const CAPABILITIES: Capabilities;

    /// Starts a server.
    fn start(app: App) -> Self;

    /// Where it listens.
    fn addr(&self) -> SocketAddr;

    /// Spawns a task as handlers of the framework do. Called in a handler.
    fn spawn(task: Task);
}

/// Something to spawn.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
