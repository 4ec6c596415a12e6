//! A real Jaeger for the matrix and for trying things out: found or built, started on free ports, asked for its traces.
//!
//! [`find`] returns the program, [`Jaeger::start`] runs it until the value is dropped or the process ends, however it ends,
//! and [`Query`] reads traces through Jaeger's API, version 3.

mod addresses;
mod answer;
mod configuration;
mod go;
mod guard;
mod program;
mod query;
mod running;

pub use self::addresses::Addresses;
pub use self::answer::{Left, Received, read};
pub use self::configuration::configuration;
pub use self::go::GoVersion;
pub use self::program::{VERSION, find, on_path};
pub use self::query::Query;
pub use self::running::Jaeger;
