#![doc = include_str!("../README.md")]

mod app;
mod collector;
mod environment;
mod log_lines;
mod printed;
mod routes;

pub use self::app::{App, command};
pub use self::collector::Collector;
pub use self::environment::reaches_a_collector_by_variables_alone;
pub use self::log_lines::log_lines_carry_the_ids;
pub use self::printed::{Printed, printed};
pub use self::routes::ROUTES;
