//! The shared part of the example services: everything that does not depend on a framework.
#![doc = include_str!("../README.md")]

mod outgoing;
mod query;
mod server;
mod stream;
mod tracing;

pub use self::outgoing::{Answer, call, chain};
pub use self::query::{BaggageQuery, SlowQuery, ToQuery};
pub use self::server::{address, ready, stopped};
pub use self::stream::chunks;
pub use self::tracing::{flush, levels, tracing};
