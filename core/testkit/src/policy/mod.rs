//! The rules of the policy that no framework can influence.
//!
//! Given the same request, they are the core's alone: the names of tags, redaction, limits, trust, the arithmetic of samplers.
//! So they are run once, against a server of the kit's own, and not for every framework. What a framework can break, such as how
//! a request's path and headers reach the core, is in the contract of [servers](crate::server).

pub mod cases;
mod list;

pub use self::list::CASES;
