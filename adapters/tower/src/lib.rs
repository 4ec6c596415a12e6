#![doc = include_str!("../README.md")]

mod body;
mod future;
mod layer;
mod request;

pub use self::body::TracingBody;
pub use self::future::{ResponseFuture, follow};
pub use self::layer::{Traced, TracingLayer, TracingService};
pub use self::request::{Framework, LocalAddr, Tower};

// Everything of the core, so that a service needs no other package.
pub use opentracing_http::*;
