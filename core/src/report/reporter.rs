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

/// The tracer around an [`Exporter`]: queues spans, and sends them in batches from a thread of its own.
///
/// Cloning gives another handle to the same queue and thread. When the last handle is dropped, what is queued is delivered
/// within the [shutdown's time](ReporterBuilder::shutdown_timeout), and the rest given up; an exporter that hangs is left
/// behind with its thread. The end of a policy has taken its part of that time; and where a flush has timed out, and since
/// then nothing was delivered and nothing reported, dropping does not wait again.
///
/// [`report`](Tracer::report) takes a lock for a moment, and makes a system call only when a batch is full and the thread
/// asleep. See the [module's page](super) for an example.
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
    /// Starts from the defaults and changes some.
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

    /// Creates a reporter that records nothing and passes callers' contexts on unchanged, for a tracer that its configuration
    /// disables. It has no thread and no exporter.
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

    /// Starts a reporter with the defaults.
    ///
    /// # Errors
    ///
    /// If the operating system starts no thread.
    pub fn with_defaults(exporter: impl Exporter + 'static) -> Result<Self, ConfigError> {
        Self::builder().build(exporter)
    }

    /// How many spans were dropped so far, by reason.
    #[must_use]
    pub fn drops(&self) -> Drops {
        let handle = self.handle.as_ref();
        handle.map_or_else(Drops::default, |handle| handle.shared.drops())
    }

    /// How many spans were delivered so far: those for which the exporter returned success, or which it counted as
    /// [delivered](super::ExportError::delivered) in an error.
    ///
    /// A delivery after a shutdown has given the spans up does not count. They are [dropped](Drops::in_flight).
    #[must_use]
    pub fn delivered(&self) -> u64 {
        let handle = self.handle.as_ref();
        handle.map_or(0, |handle| handle.shared.delivered())
    }

    /// How many spans wait in the queue, those of the batch that is being sent not counted.
    #[must_use]
    pub fn queued_spans(&self) -> usize {
        self.queued().0
    }

    /// About how many bytes the waiting spans hold.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queued().1
    }

    fn queued(&self) -> (usize, usize) {
        let handle = self.handle.as_ref();
        handle.map_or((0, 0), |handle| handle.shared.queued())
    }

    /// Ends the reporter for all its handles: delivers what is queued, and shuts the exporter down. What is not delivered
    /// within `timeout` is dropped and counted, also what the exporter is sending at that moment; so is what is reported from
    /// now on.
    ///
    /// Blocks the calling thread for at most that time. On the reporter's own thread it cannot wait, and returns as if the
    /// time was over.
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
    // The last handle may be one that a span held, through its policy: then this runs on the worker's own thread.
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

    /// Delivers what has been reported so far.
    ///
    /// Blocks the calling thread for at most `timeout`. On the reporter's own thread it cannot wait, and returns as if the
    /// time was over.
    fn flush(&self, timeout: Duration) -> Flushed {
        match &self.handle {
            None => Flushed::COMPLETE,
            Some(handle) if handle.is_worker() => Flushed::COMPLETE.with_time_out(),
            Some(handle) => handle.shared.flush(timeout),
        }
    }

    /// The same for a policy that has ended; but where a flush has timed out, and since then nothing was delivered and
    /// nothing reported, it does not wait again.
    ///
    /// The time that it takes is part of the time that the reporter's own end may take.
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
