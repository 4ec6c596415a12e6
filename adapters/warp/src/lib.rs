#![doc = include_str!("../README.md")]

mod body;
mod bridge;
mod extract;
mod filter;
mod layer;
mod request;
mod traced_request;

pub use self::extract::{CurrentSpan, current_span, route};
pub use self::filter::{Rejects, Traced};
pub use self::layer::{TracingLayer, Warp};
pub use opentracing_tower::LocalAddr;

// Everything of the core, so that a service needs no other package.
pub use opentracing_http::*;
