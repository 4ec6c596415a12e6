//! The middleware in real servers, over real sockets.

#[macro_use]
mod support;

mod bodies;
mod context;
mod outcomes;
mod routes;
