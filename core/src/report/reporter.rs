use std::fmt;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::error::ConfigError;
use crate::finished::FinishedSpan;
use crate::report::builder::ReporterBuilder;
use crate::report::drops::Drops;
use crate::report::exporter::Exporter;
use crate::report::shared::Shared;
use crate::sampler::Sampler;
use crate::tracer::{SampleRequest, Sampling, Tracer};

/// The tracer around an [`Exporter`]: queues spans, and sends them in batches from a thread of its own.
///
/// Cloning gives another handle to the same queue and thread. When the last handle is dropped, what is queued is delivered
/// within the [shutdown's time](ReporterBuilder::shutdown_timeout), and the rest given up; an exporter that hangs is left
/// behind with its thread.
///
/// [`report`](Tracer::report) takes a lock for a moment, and makes a system call only when a batch is full and the thread
/// asleep. See the [module's page](super) for an example.
#[derive(Clone)]
pub struct Reporter {
    handle: Arc<Handle>,
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
            handle: Arc::new(Handle {
                shared,
                worker,
                shutdown_timeout,
                sampler,
            }),
        }
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
        self.handle.shared.drops.snapshot()
    }

    /// How many spans wait in the queue, those of the batch that is being sent not counted.
    #[must_use]
    pub fn queued_spans(&self) -> usize {
        self.handle.shared.queued().0
    }

    /// About how many bytes the waiting spans hold.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.handle.shared.queued().1
    }

    /// Ends the reporter for all its handles: delivers what is queued, shuts the exporter down, and answers whether all of
    /// that was done within `timeout` and nothing lost. What is reported from now on is dropped and counted.
    ///
    /// Blocks the calling thread for at most that time. On the reporter's own thread it cannot wait, and answers `false`.
    #[allow(clippy::must_use_candidate)]
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.handle.shutdown(timeout)
    }
}

impl Handle {
    fn is_worker(&self) -> bool {
        thread::current().id() == self.worker
    }

    fn shutdown(&self, timeout: Duration) -> bool {
        if self.is_worker() {
            self.shared.close(timeout);
            return false;
        }
        self.shared.shut_down(timeout)
    }
}

impl Drop for Handle {
    // The last handle may be one that a span held, through its policy: then this runs on the worker's own thread.
    fn drop(&mut self) {
        self.shutdown(self.shutdown_timeout);
    }
}

impl Tracer for Reporter {
    fn sample(&self, request: &SampleRequest<'_>) -> Sampling {
        match &self.handle.sampler {
            Some(sampler) => sampler.sample(request),
            None => request.follow_caller(),
        }
    }

    fn report(&self, span: FinishedSpan) {
        self.handle.shared.push(span);
    }

    /// Delivers what has been reported so far; answers whether it was delivered, all of it and within `timeout`.
    ///
    /// Blocks the calling thread for at most that time. On the reporter's own thread it cannot wait, and answers `false`.
    fn flush(&self, timeout: Duration) -> bool {
        !self.handle.is_worker() && self.handle.shared.flush(timeout)
    }

    fn dropped(&self) -> u64 {
        self.drops().total()
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spans, bytes) = self.handle.shared.queued();
        f.debug_struct("Reporter")
            .field("queued_spans", &spans)
            .field("queued_bytes", &bytes)
            .field("drops", &self.drops())
            .field("sampler", &self.handle.sampler)
            .finish_non_exhaustive()
    }
}
