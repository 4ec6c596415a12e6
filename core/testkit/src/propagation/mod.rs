//! What a propagator does: the laws that hold of every format, and the grammars of W3C, Jaeger and B3 as tables.
//!
//! A [`Format`] is a propagator, what it [`Carries`], and a [`Table`] of headers with what must be found in them. The
//! laws are the functions of [`cases`]; [`propagation_contract!`](crate::propagation_contract) makes a test of each.

pub mod cases;
mod format;
mod formats;
mod headers;
mod list;
mod table;

pub use self::format::{Carries, Format};
pub use self::formats::{b3_multi, b3_single, jaeger, w3c, w3c_trace_context};
pub use self::list::CASES;
pub use self::table::{Found, Row, Sent, Table, Written, context};
