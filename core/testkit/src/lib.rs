#![doc = include_str!("../README.md")]

#[macro_use]
mod list;

pub mod app;
pub mod client;
mod hint;
pub mod propagation;
pub mod server;
pub mod service;
pub mod tracer;

pub use self::hint::run;

#[doc = include_str!("../GUIDE.md")]
pub mod guide {}
