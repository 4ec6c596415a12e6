//! Configuration by environment variables: what policies, reporters and tracers share.
//!
//! | what | reads |
//! |---|---|
//! | [`HttpTracingBuilder::env`](crate::HttpTracingBuilder::env) | sampler, propagation formats, limits of spans, the switch that disables tracing |
//! | [`ReporterBuilder::env`](crate::report::ReporterBuilder::env) | queue, batches and times of the background reporter |
//! | [`Resource::read`] | the service's name and attributes, for the tracer that sends them |
//!
//! The names are those of OpenTelemetry's
//! [specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). An empty
//! variable counts as unset. A wrong value, which the specification lets an implementation log and ignore, is a
//! [`ConfigError`](crate::ConfigError) here that names the variable and the remedy: a process does not start with other
//! settings than its operator wrote.
//!
//! Your own tracer reads its variables through [`Variables`], from the environment of the process or, in a test, from a
//! table:
//!
//! ```
//! use opentracing_http::ConfigError;
//! use opentracing_http::env::{self, Resource, Variables};
//!
//! fn port(source: impl Fn(&str) -> Option<String>) -> Result<usize, ConfigError> {
//!     let variables = Variables::new(&source);
//!     Ok(variables.integer("ACME_PORT", 1)?.unwrap_or(4000))
//! }
//!
//! assert_eq!(port(env::var)?, 4000);
//! let table = |name: &str| (name == "ACME_PORT").then(|| "many".to_owned());
//! assert_eq!(
//!     port(table).unwrap_err().to_string(),
//!     "option `ACME_PORT`: `many` is not a whole number; give a whole number above 0",
//! );
//! # Ok::<(), ConfigError>(())
//! ```

mod host;
mod resource;
mod variables;

pub use self::host::host_name;
pub use self::resource::Resource;
pub use self::variables::{Variables, var};
