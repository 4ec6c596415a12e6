#![doc = include_str!("../README.md")]

mod body;
mod dispatch;
mod extract;
mod fairing;
mod headers;
mod request;
mod response;
mod routes;
mod sentinel;
mod untraced;

pub use self::extract::CurrentSpan;
pub use self::fairing::TracingFairing;
pub use self::headers::Headers;
pub use self::routes::traced;

// Everything of the core, so that a service needs no other package.
pub use opentracing_http::*;

/// The value of the tag `component`.
const COMPONENT: &str = "rocket";
