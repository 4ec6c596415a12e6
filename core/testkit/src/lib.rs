#![doc = include_str!("../README.md")]

pub mod app;
pub mod client;
pub mod propagation;
pub mod server;
pub mod service;
pub mod tracer;

#[doc = include_str!("../GUIDE.md")]
pub mod guide {}
