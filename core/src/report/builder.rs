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

/// Changes the defaults of a [`Reporter`].
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
///     .batch_interval(Duration::from_secs(5))
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
    /// What has set the bounds of spans, for errors.
    pub(super) names: Names,
    /// The first variable that is wrong.
    pub(super) error: Option<ConfigError>,
}

/// The options, or the variables, that the bounds of spans come from.
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

    /// What there is to raise for a batch that does not fit: whoever sets it by a variable knows variables.
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
    /// How many spans wait at most, those of the batch that is being sent not counted; what comes beyond is dropped.
    /// Default 2,048.
    pub fn queue_spans(mut self, spans: usize) -> Self {
        self.queue.items = spans;
        self.names.queue = Names::CODE.queue;
        self
    }

    /// How many bytes the waiting spans hold at most, about ([`FinishedSpan::size`](crate::FinishedSpan::size)); what
    /// comes beyond is dropped. Default 8 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue.bytes = bytes;
        self
    }

    /// How many spans a batch has at most; as soon as so many wait, one is sent. Default 512, or the queue's bound if that
    /// is less.
    pub fn batch_spans(mut self, spans: usize) -> Self {
        self.batch_spans = Some(spans);
        self.names.batch = Names::CODE.batch;
        self
    }

    /// How many bytes the spans of a batch hold at most, about; as soon as so many wait, a batch is sent. A span that is
    /// bigger makes a batch of its own. Default 1 MiB, or the queue's bound if that is less.
    ///
    /// These are bytes in memory. A backend's own bound on what is sent is for its exporter to keep.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = Some(bytes);
        self
    }

    /// How long a span waits at most for its batch to fill. Default 1 s.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.batch_interval = interval;
        self
    }

    /// How often a batch is offered again to an exporter that asks to [retry](ExportError::retry); then it is dropped.
    /// Default 5. Other spans wait in the queue meanwhile.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries.count = retries;
        self
    }

    /// The pause before the first retry, and the longest one: they double, less up to a half by chance. Default 250 ms and
    /// 30 s.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.retries.first_pause = first;
        self.retries.longest_pause = longest;
        self
    }

    /// Sets for how long a batch is offered again, from its first try on: it is dropped as soon as the next pause would end
    /// later, however many [retries](Self::retries) are left. No limit by default.
    ///
    /// The time begins again when a part of the batch is delivered. A call of the exporter is not interrupted; it needs a
    /// time limit of its own.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.retries.time = Some(timeout);
        self
    }

    /// How long dropping the last handle may take to deliver what is queued; what is left then is dropped. Default 5 s.
    ///
    /// What the end of a policy has waited just before counts as part of it.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The name of the reporter's thread. Default `span-reporter`. Linux shows the first 15 bytes.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// Decides which spans this tracer records; by default it follows the caller and records what has none.
    ///
    /// For the tracers of a [`FanOut`](crate::FanOut) that record different shares. A sampler for all tracers is the
    /// [policy's](crate::HttpTracingBuilder::sampler).
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// Is called with each error of the exporter, also those that are retried, on the reporter's thread. A panic in it is
    /// caught. Without it, an error that loses spans shows in the policy's
    /// [diagnostics](crate::HttpTracingBuilder::on_diagnostic), and those that are retried do not show.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.on_error = Some(Box::new(callback));
        self
    }

    /// Starts the thread, and gives it the exporter.
    ///
    /// # Errors
    ///
    /// The first option that was given something wrong, with the remedy; or that the operating system starts no thread.
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

    /// Finds what is wrong; answers the bounds of a batch.
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
                "less than a millisecond keeps a processor busy for nothing; give a longer time, and smaller batches if need be",
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

/// The bound of a batch, which has to fit into the queue.
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
            format!(
                "a batch of {batch} never fills in a queue of {queue}; lower it, or raise `{raised}`"
            ),
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
