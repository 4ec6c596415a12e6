//! Measures what tracing costs a request, side by side in one run: `cargo xtask bench`.
//!
//! Each framework's application has the same routes and gets the same request. It is called without sockets, so that what is
//! added stands out, and over sockets, so that its share of a whole request is seen. Cases take turns, so that a machine that
//! slows down slows all of them; the figures to read are the differences and the ratios, not the times.

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

/// Why the benchmark cannot go on.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);
