//! What both apps share: how they write log lines.

use std::error::Error;
use std::io;

use opentracing_tracing::log_ids;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Writes log lines with the ids of the current span to the standard error output, so that one search for a trace id finds the
/// lines of both apps.
///
/// # Errors
///
/// Returns an error if `RUST_LOG` is wrong, or if there is a logger already.
pub fn log_lines(program: &str) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::registry()
        .with(
            fmt::layer()
                .with_ansi(false)
                .with_writer(log_ids(io::stderr)),
        )
        .with(example_shared::levels(program).parse::<Targets>()?)
        .try_init()?;
    Ok(())
}
