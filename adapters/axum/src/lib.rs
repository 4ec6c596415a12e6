#![doc = include_str!("../README.md")]

mod extract;
mod layer;
mod request;

pub use self::extract::CurrentSpan;
pub use self::layer::{ResponseFuture, TracingLayer, TracingService};
pub use opentracing_tower::LocalAddr;

// Everything of the core, so that a service needs no other package.
pub use opentracing_http::*;
