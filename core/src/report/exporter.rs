use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::span::FinishedSpan;

/// Sends batches of finished spans to a backend. A [`Reporter`](super::Reporter) calls it on its own thread. See the
/// [module's page](crate::report) for an example.
///
/// It may block: requests do not wait for it, and a flush or shutdown waits no longer than its own time. It should have
/// a timeout anyway, because nothing else is sent meanwhile. A panic loses the batch, not the thread.
pub trait Exporter: Send {
    /// Sends one batch: at least one span, in the order in which spans were reported.
    ///
    /// # Errors
    ///
    /// Returns an error if a span was not delivered: [`ExportError::retry`] if the batch should be offered again later,
    /// [`ExportError::rejected`] if not. [`delivered`](ExportError::delivered) sets how many spans were delivered
    /// anyway, and [`refused`](ExportError::refused) how many never will be while the others may.
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError>;

    /// Is called once, after the last batch; then the exporter is dropped on the same thread. The default does nothing.
    /// See [`Reporter`](super::Reporter) for an example.
    fn shutdown(&mut self) {}
}

impl<E: Exporter + ?Sized> Exporter for Box<E> {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        (**self).export(batch)
    }

    fn shutdown(&mut self) {
        (**self).shutdown();
    }
}

/// Why a batch was not delivered, and whether it is offered again.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::report::ExportError;
///
/// // The backend is busy, and has sent a `Retry-After`.
/// let busy = ExportError::retry("503 Service Unavailable").after(Duration::from_secs(2));
/// assert!(busy.is_retry());
/// // The backend refused three spans of eight.
/// let partly = ExportError::rejected("3 spans are too large").delivered(5);
/// assert_eq!(busy.to_string(), "503 Service Unavailable");
/// # let _ = partly;
/// ```
pub struct ExportError {
    source: Box<dyn Error + Send + Sync>,
    pub(super) retry: bool,
    pub(super) after: Option<Duration>,
    pub(super) delivered: usize,
    pub(super) refused: usize,
}

impl ExportError {
    /// Creates an error that may be temporary: the batch is offered again, with growing pauses, as often as the
    /// [builder](super::ReporterBuilder::retries) allows.
    pub fn retry(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
            retry: true,
            after: None,
            delivered: 0,
            refused: 0,
        }
    }

    /// Creates a permanent error: the batch is dropped.
    pub fn rejected(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            retry: false,
            ..Self::retry(source)
        }
    }

    /// Sets the pause before the batch is offered again, instead of the reporter's own pause; at most the [longest
    /// pause](super::ReporterBuilder::backoff). Ignored for a rejected batch.
    #[must_use]
    pub const fn after(mut self, pause: Duration) -> Self {
        self.after = Some(pause);
        self
    }

    /// Sets how many spans of the batch were delivered; none by default.
    ///
    /// On a retry these are the batch's first spans, and only the others are offered again. On a rejection only the
    /// others count as dropped.
    #[must_use]
    pub const fn delivered(mut self, spans: usize) -> Self {
        self.delivered = spans;
        self
    }

    /// Sets how many further spans of the batch the backend refused permanently; none by default.
    ///
    /// It is meant for an exporter that sends a batch in several requests. On a retry the batch's first `delivered +
    /// refused` spans are settled: the refused ones count as dropped, and only the rest is offered again. Ignored for a
    /// rejected batch, of which every span that was not delivered counts as dropped.
    ///
    /// ```
    /// use opentracing_http::report::ExportError;
    ///
    /// // In the first request 3 of 8 spans were refused; at the second request the backend was busy.
    /// let error = ExportError::retry("503 Service Unavailable").delivered(5).refused(3);
    /// # let _ = error;
    /// ```
    #[must_use]
    pub const fn refused(mut self, spans: usize) -> Self {
        self.refused = spans;
        self
    }

    /// Returns `true` if the batch is offered again.
    #[must_use]
    pub const fn is_retry(&self) -> bool {
        self.retry
    }
}

// The cause is the whole message, so it is written by `Display` and not returned by `source`.
impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for ExportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportError")
            .field("source", &self.source)
            .field("retry", &self.retry)
            .field("after", &self.after)
            .field("delivered", &self.delivered)
            .field("refused", &self.refused)
            .finish()
    }
}
