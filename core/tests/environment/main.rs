//! Configuration by environment variables. They come from tables, because all tests share the variables of the process.

#![allow(clippy::unwrap_used)]

mod disabled;
mod policy;
mod process;
mod propagators;
mod resource;

use opentracing_http::{HttpTracing, HttpTracingBuilder, InMemoryTracer};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Looks variables up in a table.
fn table<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| {
        let found = variables.iter().find(|(key, _)| *key == name)?;
        Some(found.1.to_owned())
    }
}

/// Returns a policy whose builder `change` has changed, and its tracer.
fn traced(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
) -> (HttpTracing, InMemoryTracer) {
    let tracer = InMemoryTracer::new();
    let builder = change(HttpTracing::builder(tracer.clone()));
    (builder.build().unwrap(), tracer)
}

/// Returns a policy that is configured by these variables.
fn with(variables: &[(&str, &str)]) -> HttpTracing {
    traced(|builder| builder.env_with(table(variables))).0
}

/// Returns the option and the message of the error that these variables cause.
fn fault(variables: &[(&str, &str)]) -> (String, String) {
    let builder = HttpTracing::builder(InMemoryTracer::new());
    let error = builder.env_with(table(variables)).build().unwrap_err();
    (error.option().to_owned(), error.to_string())
}
