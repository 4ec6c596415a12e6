//! The background reporter, for tracers that send spans to a backend.
//!
//! An [`Exporter`] sends one batch. The [`Reporter`] is the tracer around it: a queue that is limited in spans and
//! bytes, one thread, batches by count, size and time, retries as the exporter requests, drops [counted by
//! reason](Drops). Reporting a span never waits for the exporter. If the backend is down, spans are dropped and the
//! policy's [diagnostics](crate::HttpTracingBuilder::on_diagnostic) report that; nothing else happens.
//!
//! Each reported span is [delivered](Reporter::delivered), which means that the exporter returned success for it, or
//! [dropped](Reporter::drops) for one reason, or still on its way. After [`Reporter::shutdown`] has returned, none is
//! on its way: delivered plus dropped is what was reported.
//!
//! ```
//! use std::io::Write;
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use opentracing_http::report::{ExportError, Exporter, Reporter};
//! use opentracing_http::{FinishedSpan, HttpTracing};
//!
//! /// Sends one line for each span.
//! struct Lines {
//!     address: String,
//! }
//!
//! impl Exporter for Lines {
//!     fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
//!         let mut lines = Vec::new();
//!         for span in batch {
//!             writeln!(lines, "{} {:?}", span.name(), span.duration()).map_err(ExportError::rejected)?;
//!         }
//!         let mut stream = TcpStream::connect(&self.address).map_err(ExportError::retry)?;
//!         stream.write_all(&lines).map_err(ExportError::retry)
//!     }
//! }
//!
//! let reporter = Reporter::builder()
//!     .batch_interval(Duration::from_millis(200))
//!     .on_error(|error| eprintln!("tracing: {error}"))
//! #   .retries(0)
//!     .build(Lines { address: "localhost:7".into() })?;
//! let tracing = HttpTracing::new(reporter.clone());
//! tracing.span("work").start().finish();
//!
//! // After the server's graceful shutdown:
//! let flushed = tracing.flush(Duration::from_secs(5));
//! if !flushed.is_complete() {
//!     eprintln!("{flushed}; dropped so far: {}", reporter.drops());
//! }
//! # Ok::<(), opentracing_http::ConfigError>(())
//! ```

mod account;
mod builder;
mod env;
mod exporter;
mod losses;
pub mod otel;
mod queue;
mod reporter;
mod shared;
mod worker;

pub use self::builder::ReporterBuilder;
pub use self::exporter::{ExportError, Exporter};
pub use self::reporter::Reporter;
pub use crate::context::{Reference, ReferenceKind};
pub use crate::delivery::{Diagnostics, Drops, LateChange, NestedPolicies};
pub use crate::span::RequestInfo;
pub use crate::tag::Omitted;
