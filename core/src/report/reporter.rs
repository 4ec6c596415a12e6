use std::fmt;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::config_error::ConfigError;
use crate::delivery::{Diagnostics, Drops, Flushed};
use crate::report::builder::ReporterBuilder;
use crate::report::exporter::Exporter;
use crate::report::shared::Shared;
use crate::sampler::{Sampler, SamplingParams, SamplingResult};
use crate::span::{FinishedSpan, Tracer};

/// The tracer around an [`Exporter`]: queues spans, and sends them in batches on its own thread.
///
/// Clones are handles to the same queue and thread. When the last handle is dropped, queued spans are delivered within
/// the [shutdown timeout](ReporterBuilder::shutdown_timeout) and the rest is dropped; an exporter that hangs is
/// abandoned together with its thread. Time that the end of a policy has waited just before is subtracted. If a flush
/// has timed out, and nothing was delivered or reported since then, dropping does not wait again.
///
/// [`report`](Tracer::report) holds a lock for a moment, and makes a system call only if a batch is full and the thread
/// sleeps.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::report::{ExportError, Exporter, Reporter};
/// use opentracing_http::{FinishedSpan, HttpTracing};
///
/// /// Sends nothing.
/// struct Discard;
///
/// impl Exporter for Discard {
///     fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
///         println!("{} spans", batch.len());
///         Ok(())
///     }
///
///     fn shutdown(&mut self) {
///         println!("this was the last batch");
///     }
/// }
///
/// let reporter = Reporter::with_defaults(Discard)?;
/// let tracing = HttpTracing::new(reporter.clone());
/// tracing.span("work").start().finish();
/// println!("{} spans wait, about {} bytes", reporter.queued_spans(), reporter.queued_bytes());
///
/// assert!(reporter.shutdown(Duration::from_secs(10)).is_complete());
/// assert_eq!((reporter.delivered(), reporter.drops().total()), (1, 0));
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Reporter {
    /// `None` if it is disabled.
    handle: Option<Arc<Handle>>,
}

struct Handle {
    shared: Arc<Shared>,
    worker: ThreadId,
    shutdown_timeout: Duration,
    sampler: Option<Box<dyn Sampler>>,
}

impl Reporter {
    /// Creates a builder with the defaults; see the [module's page](crate::report) for an example.
    pub fn builder() -> ReporterBuilder {
        ReporterBuilder::default()
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        worker: ThreadId,
        shutdown_timeout: Duration,
        sampler: Option<Box<dyn Sampler>>,
    ) -> Self {
        Self {
            handle: Some(Arc::new(Handle {
                shared,
                worker,
                shutdown_timeout,
                sampler,
            })),
        }
    }

    /// Creates a reporter that records nothing and propagates callers' contexts unchanged, for a tracer that is
    /// disabled by its configuration. It has neither thread nor exporter.
    ///
    /// ```
    /// use opentracing_http::HttpTracing;
    /// use opentracing_http::report::Reporter;
    ///
    /// let tracing = HttpTracing::new(Reporter::disabled());
    /// assert!(!tracing.span("work").start().is_recording());
    /// ```
    #[must_use]
    pub const fn disabled() -> Self {
        Self { handle: None }
    }

    /// Creates a reporter with the defaults.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system starts no thread.
    pub fn with_defaults(exporter: impl Exporter + 'static) -> Result<Self, ConfigError> {
        Self::builder().build(exporter)
    }

    /// Returns how many spans were dropped so far, by reason.
    #[must_use]
    pub fn drops(&self) -> Drops {
        let handle = self.handle.as_ref();
        handle.map_or_else(Drops::default, |handle| handle.shared.drops())
    }

    /// Returns how many spans were delivered so far: those for which the exporter returned success, or which an error
    /// counted as [delivered](super::ExportError::delivered).
    ///
    /// Spans that a shutdown has dropped are not counted here if they are delivered afterwards. They stay in
    /// [`Drops::in_flight`].
    #[must_use]
    pub fn delivered(&self) -> u64 {
        let handle = self.handle.as_ref();
        handle.map_or(0, |handle| handle.shared.delivered())
    }

    /// Returns how many spans wait in the queue, without those of the batch that is being sent.
    #[must_use]
    pub fn queued_spans(&self) -> usize {
        self.queued().0
    }

    /// Returns about how many bytes the waiting spans hold.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queued().1
    }

    fn queued(&self) -> (usize, usize) {
        let handle = self.handle.as_ref();
        handle.map_or((0, 0), |handle| handle.shared.queued())
    }

    /// Ends the reporter for all its handles: delivers the queued spans and shuts the exporter down. Spans that are not
    /// delivered within `timeout` are dropped and counted, including those that the exporter is sending at that moment.
    /// Spans that are reported later are dropped and counted, too.
    ///
    /// It blocks the calling thread for at most `timeout`. On the reporter's own thread it cannot wait, and returns at
    /// once as if the time was over.
    #[allow(
        clippy::must_use_candidate,
        reason = "a process that is about to exit can do nothing with the result"
    )]
    pub fn shutdown(&self, timeout: Duration) -> Flushed {
        match &self.handle {
            Some(handle) => handle.shutdown(timeout),
            None => Flushed::COMPLETE,
        }
    }
}

impl Handle {
    fn is_worker(&self) -> bool {
        thread::current().id() == self.worker
    }

    fn shutdown(&self, timeout: Duration) -> Flushed {
        if self.is_worker() {
            self.shared.close(timeout);
            return Flushed::COMPLETE.with_time_out();
        }
        self.shared.shut_down(timeout)
    }
}

impl Drop for Handle {
    // A queued span may hold the last handle through its policy: then this runs on the worker's own thread.
    fn drop(&mut self) {
        self.shutdown(self.shared.left(self.shutdown_timeout));
    }
}

impl Tracer for Reporter {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        let Some(handle) = &self.handle else {
            return SamplingResult::pass_through();
        };
        match &handle.sampler {
            Some(sampler) => sampler.sample(request),
            None => request.follow_caller(),
        }
    }

    fn report(&self, span: FinishedSpan) {
        if let Some(handle) = &self.handle {
            handle.shared.push(span);
        }
    }

    /// Delivers all spans that have been reported so far.
    ///
    /// It blocks the calling thread for at most `timeout`. On the reporter's own thread it cannot wait, and returns at
    /// once as if the time was over.
    fn flush(&self, timeout: Duration) -> Flushed {
        match &self.handle {
            None => Flushed::COMPLETE,
            Some(handle) if handle.is_worker() => Flushed::COMPLETE.with_time_out(),
            Some(handle) => handle.shared.flush(timeout),
        }
    }

    /// Flushes because a policy has ended. If a flush has timed out, and nothing was delivered or reported since then,
    /// it does not wait again.
    ///
    /// The time that it waits is subtracted from the time of the reporter's own end.
    fn end(&self, timeout: Duration) -> Flushed {
        match &self.handle {
            None => Flushed::COMPLETE,
            Some(handle) if handle.is_worker() => Flushed::COMPLETE.with_time_out(),
            Some(handle) => handle.shared.end(timeout),
        }
    }

    fn attach(&self, diagnostics: &Diagnostics) {
        if let Some(handle) = &self.handle {
            handle.shared.attach(diagnostics);
        }
    }

    fn dropped(&self) -> u64 {
        self.drops().total()
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(handle) = &self.handle else {
            return f.write_str("Reporter::disabled()");
        };
        let (spans, bytes) = self.queued();
        f.debug_struct("Reporter")
            .field("queued_spans", &spans)
            .field("queued_bytes", &bytes)
            .field("delivered", &self.delivered())
            .field("drops", &self.drops())
            .field("sampler", &handle.sampler)
            .finish_non_exhaustive()
    }
}
