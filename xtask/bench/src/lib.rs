//! Measures what tracing costs a request, side by side in one run: `cargo xtask bench`.
//!
//! Each framework's application has the same routes and gets the same request. It is called without sockets, which
//! shows small differences, and over sockets, which shows the share of a whole request. Cases take turns, so that a
//! change of the machine's speed affects all of them; compare the differences and the ratios, not the times.

mod against;
mod apps;
mod case;
mod clocks;
mod command;
mod filter;
mod machine;
mod measures;
mod page;
mod policy;
mod receivers;
mod request;
mod results;
mod stats;
mod table;

pub use self::command::run;
pub use self::measures::allocations::{Counted, count};

/// Why the benchmark cannot continue.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);
