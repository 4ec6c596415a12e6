//! Configuration by environment. Variables come from tables: the process' own are every test's.

#![allow(clippy::unwrap_used)]

mod resource;

use std::time::Duration;

use opentracing_http::env::{Resource, Variables};

/// Looks variables up in a table.
fn table<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| {
        let found = variables.iter().find(|(key, _)| *key == name)?;
        Some(found.1.to_owned())
    }
}
