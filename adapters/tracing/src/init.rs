//! The usual subscriber of a service, in one call.

use std::io::{self, IsTerminal};

use opentracing_http::{ConfigError, env};
use tracing_core::Dispatch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, registry};

use crate::{layer, log_ids};

/// Installs the usual subscriber of a service for the whole process: it writes events and records of the `log` crate as lines to
/// the standard output, each with the ids of the current span, and has the [layer] that makes spans children of the request.
///
/// `RUST_LOG` chooses the lines, by level and target as in `info,sqlx=warn`; INFO and above if it is unset. It has no effect on
/// the spans of requests: `RUST_LOG=off` loses none of them.
///
/// The lines have colors if the standard output is a terminal and `NO_COLOR` is not set.
///
/// For another writer, format or filter, build the subscriber from [`layer()`] and [`log_ids`].
///
/// Needs the feature `init`.
///
/// # Errors
///
/// Returns an error if `RUST_LOG` cannot be read, or if the process has a subscriber or a logger already.
///
/// ```
/// use opentracing_http::ConfigError;
///
/// fn main() -> Result<(), ConfigError> {
///     opentracing_tracing::init()?;
///     tracing::info!("listening");
///     Ok(())
/// }
/// ```
pub fn init() -> Result<(), ConfigError> {
    let no_color = env::var("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colors = io::stdout().is_terminal() && !no_color;
    let lines = fmt::layer()
        .with_ansi(colors)
        .with_writer(log_ids(io::stdout));
    install(registry().with(layer()).with(lines.with_filter(filter()?)))
}

/// Installs the same subscriber as [`init`], with each line a JSON object. See [`init`] for an example.
///
/// Needs the feature `json`.
///
/// # Errors
///
/// The same as those of [`init`].
#[cfg(feature = "json")]
pub fn init_json() -> Result<(), ConfigError> {
    let lines = fmt::layer().json().with_writer(log_ids(io::stdout));
    install(registry().with(layer()).with(lines.with_filter(filter()?)))
}

fn install(subscriber: impl Into<Dispatch>) -> Result<(), ConfigError> {
    subscriber.try_init().map_err(|error| {
        let remedy = "the process has a subscriber or a logger already; add `layer()` and `log_ids` to that one";
        ConfigError::new("init", remedy).with_source(error)
    })
}

fn filter() -> Result<Targets, ConfigError> {
    filter_of(env::var("RUST_LOG"))
}

/// Reads the value of `RUST_LOG`. An empty one counts as unset.
fn filter_of(value: Option<String>) -> Result<Targets, ConfigError> {
    let Some(text) = value.filter(|text| !text.trim().is_empty()) else {
        return Ok(Targets::new().with_default(LevelFilter::INFO));
    };
    text.parse().map_err(|error| {
        let remedy =
            format!("{text:?} cannot be read; write levels and targets as in `info,sqlx=warn`");
        ConfigError::new("RUST_LOG", remedy).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use tracing_core::Level;

    use super::*;

    #[test]
    fn variable_chooses_lines_by_level_and_target() {
        let is_on = |value: Option<&str>, target, level: Level| {
            let filter = filter_of(value.map(str::to_owned)).expect("it can be read");
            filter.would_enable(target, &level)
        };
        for unset in [None, Some(""), Some(" ")] {
            assert!(is_on(unset, "shop", Level::INFO));
            assert!(!is_on(unset, "shop", Level::DEBUG));
        }
        assert!(is_on(Some("info,shop=debug"), "shop::stock", Level::DEBUG));
        assert!(!is_on(Some("info,shop=debug"), "sqlx", Level::DEBUG));
        assert!(!is_on(Some("off"), "shop", Level::ERROR));
    }

    #[test]
    fn variable_that_cannot_be_read_is_an_error() {
        let error = filter_of(Some("info,shop=loud".to_owned())).expect_err("no level");
        let text = "option `RUST_LOG`: \"info,shop=loud\" cannot be read; write levels and targets as in `info,sqlx=warn`";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn second_subscriber_is_an_error() {
        init().expect("the first one of this process");
        let error = init().expect_err("the second one");
        assert_eq!(error.option(), "init");
    }
}
