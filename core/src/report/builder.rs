use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config_error::ConfigError;
use crate::report::exporter::{ExportError, Exporter};
use crate::report::queue::Bounds;
use crate::report::reporter::Reporter;
use crate::report::shared::Shared;
use crate::report::worker::{OnError, Retries, Worker};
use crate::sampler::Sampler;

/// The builder of a [`Reporter`].
///
/// Wrong options are reported by [`build`](Self::build), so that calls can be chained.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::FinishedSpan;
/// use opentracing_http::report::{ExportError, Exporter, Reporter};
///
/// struct Discard;
///
/// impl Exporter for Discard {
///     fn export(&mut self, _: &[FinishedSpan]) -> Result<(), ExportError> {
///         Ok(())
///     }
/// }
///
/// let reporter = Reporter::builder()
///     .queue_spans(10_000)
///     .queue_bytes(16 * 1024 * 1024)
///     .batch_bytes(512 * 1024)
///     .batch_interval(Duration::from_secs(5))
///     .retries(3)
///     .backoff(Duration::from_millis(100), Duration::from_secs(10))
///     .export_timeout(Duration::from_secs(30))
///     .shutdown_timeout(Duration::from_secs(2))
///     .thread_name("spans")
///     .sampler(opentracing_http::sampler::Always)
///     .on_error(|error| eprintln!("tracing: {error}"))
///     .build(Discard)?;
/// # let _ = reporter;
///
/// let error = Reporter::builder().queue_spans(100).batch_spans(200).build(Discard).unwrap_err();
/// assert_eq!(error.option(), "batch_spans");
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[must_use = "a reporter is made by `build`"]
pub struct ReporterBuilder {
    pub(super) queue: Bounds,
    pub(super) batch_spans: Option<usize>,
    batch_bytes: Option<usize>,
    pub(super) batch_interval: Duration,
    pub(super) retries: Retries,
    shutdown_timeout: Duration,
    thread_name: String,
    sampler: Option<Box<dyn Sampler>>,
    on_error: Option<OnError>,
    /// The options or variables that set the limits of spans, for errors.
    pub(super) names: Names,
    /// The first wrong variable.
    pub(super) error: Option<ConfigError>,
}

/// The options or variables that set the limits of spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) queue: &'static str,
    pub(super) batch: &'static str,
}

impl Names {
    const CODE: Self = Self {
        queue: "queue_spans",
        batch: "batch_spans",
    };
    pub(super) const VARIABLES: Self = Self {
        queue: "OTEL_BSP_MAX_QUEUE_SIZE",
        batch: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    };

    /// Returns what to raise if a batch does not fit into the queue: a variable if the limit of the batch was set by
    /// one.
    fn raised(self) -> &'static str {
        match self.batch == Self::VARIABLES.batch {
            true => Self::VARIABLES.queue,
            false => self.queue,
        }
    }
}

const BATCH_SPANS: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

impl Default for ReporterBuilder {
    fn default() -> Self {
        Self {
            queue: Bounds {
                items: 2048,
                bytes: 8 << 20,
            },
            batch_spans: None,
            batch_bytes: None,
            batch_interval: Duration::from_secs(1),
            retries: Retries {
                count: 5,
                first_pause: Duration::from_millis(250),
                longest_pause: Duration::from_secs(30),
                time: None,
            },
            shutdown_timeout: Duration::from_secs(5),
            thread_name: "span-reporter".into(),
            sampler: None,
            on_error: None,
            names: Names::CODE,
            error: None,
        }
    }
}

impl ReporterBuilder {
    /// Sets how many spans wait at most, without those of the batch that is being sent. Further spans are dropped.
    /// 2,048 by default.
    pub fn queue_spans(mut self, spans: usize) -> Self {
        self.queue.items = spans;
        self.names.queue = Names::CODE.queue;
        self
    }

    /// Sets how many bytes the waiting spans hold at most, approximately
    /// ([`FinishedSpan::size`](crate::FinishedSpan::size)). Further spans are dropped. 8 MiB by default.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue.bytes = bytes;
        self
    }

    /// Sets how many spans a batch has at most; a batch is sent as soon as this many wait. 512 by default, or the
    /// queue's limit if that is less.
    pub fn batch_spans(mut self, spans: usize) -> Self {
        self.batch_spans = Some(spans);
        self.names.batch = Names::CODE.batch;
        self
    }

    /// Sets how many bytes the spans of a batch hold at most, approximately; a batch is sent as soon as this many wait.
    /// A larger span is sent in a batch of its own. 1 MiB by default, or the queue's limit if that is less.
    ///
    /// These are bytes in memory. The exporter has to keep the backend's own limits on requests.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = Some(bytes);
        self
    }

    /// Sets how long a span waits at most for its batch to fill. 1 s by default.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.batch_interval = interval;
        self
    }

    /// Sets how often a batch is offered again to an exporter that asks to [retry](ExportError::retry); then it is
    /// dropped. Other spans wait in the queue meanwhile. 5 by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries.count = retries;
        self
    }

    /// Sets the pause before the first retry, and the longest pause. Pauses double; each is shortened by up to a half
    /// at random. 250 ms and 30 s by default.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.retries.first_pause = first;
        self.retries.longest_pause = longest;
        self
    }

    /// Sets for how long a batch is offered again, counted from its first attempt. It is dropped as soon as the next
    /// pause would end later, however many [retries](Self::retries) are left. No limit by default.
    ///
    /// The time starts again when a part of the batch is delivered. A running call of the exporter is not interrupted;
    /// the exporter needs its own timeout.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.retries.time = Some(timeout);
        self
    }

    /// Sets how long dropping the last handle may take to deliver the queued spans. The remaining ones are dropped. 5 s
    /// by default.
    ///
    /// If a policy has ended just before, the time that its end has waited is subtracted.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets the name of the reporter's thread, of which Linux shows the first 15 bytes. `span-reporter` by default.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// Sets which spans this tracer records. By default it follows the caller, and records spans without a caller's
    /// decision.
    ///
    /// It is meant for the tracers of a [`FanOut`](crate::FanOut) that record different shares. To set a sampler for
    /// all tracers, use the [policy's](crate::HttpTracingBuilder::sampler).
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// Sets a function that is called with each error of the exporter, including those that are retried, on the
    /// reporter's thread. A panic in it is caught. By default, errors that lose spans appear in the policy's
    /// [diagnostics](crate::HttpTracingBuilder::on_diagnostic), and errors that are retried do not.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.on_error = Some(Box::new(callback));
        self
    }

    /// Creates the reporter: starts the thread and moves the exporter to it.
    ///
    /// # Errors
    ///
    /// Returns an error for the first wrong option, or if the operating system starts no thread. It names the option
    /// and the remedy.
    pub fn build(self, exporter: impl Exporter + 'static) -> Result<Reporter, ConfigError> {
        let batch = self.check()?;
        let shared = Arc::new(Shared::new(self.queue, batch));
        let worker = Worker {
            shared: shared.clone(),
            exporter,
            batch_interval: self.batch_interval,
            retries: self.retries,
            on_error: self.on_error,
            policies: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name(self.thread_name)
            .spawn(|| worker.run())
            .map_err(|error| {
                let remedy =
                    format!("the operating system starts no thread ({error}); raise its limits");
                ConfigError::new("thread_name", remedy).with_source(error)
            })?;
        Ok(Reporter::new(
            shared,
            thread.thread().id(),
            self.shutdown_timeout,
            self.sampler,
        ))
    }

    /// Checks the options; returns the limits of a batch.
    fn check(&self) -> Result<Bounds, ConfigError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let batch = Bounds {
            items: bounded(
                self.names.queue,
                self.names.raised(),
                self.queue.items,
                self.names.batch,
                self.batch_spans,
                BATCH_SPANS,
            )?,
            bytes: bounded(
                "queue_bytes",
                "queue_bytes",
                self.queue.bytes,
                "batch_bytes",
                self.batch_bytes,
                BATCH_BYTES,
            )?,
        };
        if self.batch_interval < Duration::from_millis(1) {
            return Err(ConfigError::new(
                "batch_interval",
                "less than a millisecond wastes processor time; give a longer time, or smaller batches",
            ));
        }
        let Retries {
            first_pause,
            longest_pause,
            ..
        } = self.retries;
        if first_pause.is_zero() || first_pause > longest_pause {
            return Err(ConfigError::new(
                "backoff",
                format!(
                    "{first_pause:?} is not between 0 and the longest pause, {longest_pause:?}; give a short pause, then a long one"
                ),
            ));
        }
        if self.thread_name.contains('\0') {
            return Err(ConfigError::new(
                "thread_name",
                "a thread's name cannot have a NUL character; leave it out",
            ));
        }
        Ok(batch)
    }
}

/// Returns the limit of the batch, which has to fit into the queue.
fn bounded(
    queue_option: &'static str,
    raised: &'static str,
    queue: usize,
    batch_option: &'static str,
    batch: Option<usize>,
    default: usize,
) -> Result<usize, ConfigError> {
    if queue == 0 {
        return Err(ConfigError::new(
            queue_option,
            "0 drops every span; leave the default or raise it",
        ));
    }
    match batch {
        None => Ok(default.min(queue)),
        Some(0) => Err(ConfigError::new(
            batch_option,
            "0 sends nothing; leave the default or raise it",
        )),
        Some(batch) if batch > queue => Err(ConfigError::new(
            batch_option,
            format!("a batch of {batch} exceeds a queue of {queue}; lower it, or raise `{raised}`"),
        )),
        Some(batch) => Ok(batch),
    }
}

impl fmt::Debug for ReporterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReporterBuilder")
            .field("queue", &self.queue)
            .field("batch_spans", &self.batch_spans)
            .field("batch_bytes", &self.batch_bytes)
            .field("batch_interval", &self.batch_interval)
            .field("retries", &self.retries)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("thread_name", &self.thread_name)
            .field("sampler", &self.sampler)
            .finish_non_exhaustive()
    }
}
