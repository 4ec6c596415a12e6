//! A real Jaeger for the matrix and for experiments: found or built, started on free ports, queried for its traces.
//!
//! [`find`] returns the program. [`Jaeger::start`] runs it until the value is dropped or the process ends, even if it
//! is killed. [`Query`] reads traces through Jaeger's API, version 3.

mod addresses;
mod configuration;
mod go;
mod guard;
mod program;
mod query;
mod response;
mod running;

pub use self::addresses::Addresses;
pub use self::configuration::configuration;
pub use self::go::GoVersion;
pub use self::program::{VERSION, find, on_path};
pub use self::query::Query;
pub use self::response::{Left, Received, read};
pub use self::running::Jaeger;
