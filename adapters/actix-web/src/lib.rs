//! Request tracing for actix-web: one middleware for an app, a scope, a resource or a route.
#![doc = include_str!("../README.md")]

mod body;
mod extract;
mod headers;
mod middleware;
mod patterns;
mod request;
mod response;
mod routes;

pub use self::body::TracingBody;
pub use self::extract::CurrentSpan;
pub use self::headers::ActixHeaders;
pub use self::middleware::{ResponseFuture, TracingMiddleware, TracingService};

// Everything of the core, so that a service needs no other package.
pub use opentracing_http::*;
