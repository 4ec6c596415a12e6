#![doc = include_str!("../README.md")]

mod app;
mod printed;
mod routes;

pub use self::app::{App, command};
pub use self::printed::{Printed, printed};
pub use self::routes::ROUTES;
