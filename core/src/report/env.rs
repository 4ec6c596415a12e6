use crate::config_error::ConfigError;
use crate::env::{self, Variables};
use crate::report::builder::{Names, ReporterBuilder};

impl ReporterBuilder {
    /// Applies these variables of OpenTelemetry's batch processor. Unset and empty variables change nothing:
    ///
    /// | variable | option | values |
    /// |---|---|---|
    /// | `OTEL_BSP_SCHEDULE_DELAY` | [`batch_interval`](Self::batch_interval) | milliseconds, 1 or more |
    /// | `OTEL_BSP_MAX_QUEUE_SIZE` | [`queue_spans`](Self::queue_spans) | 1 or more |
    /// | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | [`batch_spans`](Self::batch_spans) | 1 or more, at most the queue's |
    /// | `OTEL_BSP_EXPORT_TIMEOUT` | [`export_timeout`](Self::export_timeout) | milliseconds; 0 is no limit |
    ///
    /// They override options that were set before, and later calls override them. An unset variable leaves the option
    /// as it is, even if OpenTelemetry has another default.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) returns an error that names the variable if a value cannot be used, even if a later call
    /// sets the same option.
    ///
    /// See [`env_with`](Self::env_with) for an example.
    pub fn env(self) -> Self {
        self.env_with(env::var)
    }

    /// Applies the same variables from another source than the process' environment, such as a table in a test.
    ///
    /// ```
    /// use opentracing_http::FinishedSpan;
    /// use opentracing_http::report::{ExportError, Exporter, Reporter};
    /// # struct Discard;
    /// # impl Exporter for Discard {
    /// #     fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
    /// #         Ok(())
    /// #     }
    /// # }
    ///
    /// let error = Reporter::builder()
    ///     .env_with(|name| (name == "OTEL_BSP_SCHEDULE_DELAY").then(|| "5s".to_owned()))
    ///     .build(Discard)
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "option `OTEL_BSP_SCHEDULE_DELAY`: `5s` is not a time; give milliseconds as a whole number above 0, such as `5000`",
    /// );
    /// ```
    pub fn env_with(mut self, source: impl Fn(&str) -> Option<String>) -> Self {
        if let Err(error) = self.apply(Variables::new(&source)) {
            self.error.get_or_insert(error);
        }
        self
    }

    fn apply(&mut self, variables: Variables<'_>) -> Result<(), ConfigError> {
        if let Some(interval) = variables.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 1)? {
            self.batch_interval = interval;
        }
        if let Some(spans) = variables.integer(Names::VARIABLES.queue, 1)? {
            self.queue.items = spans;
            self.names.queue = Names::VARIABLES.queue;
        }
        if let Some(spans) = variables.integer(Names::VARIABLES.batch, 1)? {
            self.batch_spans = Some(spans);
            self.names.batch = Names::VARIABLES.batch;
        }
        if let Some(time) = variables.milliseconds("OTEL_BSP_EXPORT_TIMEOUT", 0)? {
            self.retries.time = (!time.is_zero()).then_some(time);
        }
        Ok(())
    }
}
