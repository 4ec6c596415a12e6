use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::span::FinishedSpan;

/// Sends batches of finished spans to a backend; a [`Reporter`](super::Reporter) calls it on its own thread.
///
/// It may block for as long as it has to: requests do not wait for it, and whoever flushes or drops the reporter waits no
/// longer than it says. It should have a time limit of its own all the same, because meanwhile nothing else is sent. A panic
/// loses the batch, not the thread.
pub trait Exporter: Send {
    /// Sends one batch: at least one span, in the order in which they were reported.
    ///
    /// # Errors
    ///
    /// If not all of it was delivered: [`ExportError::retry`] to be given the batch again later, [`ExportError::rejected`]
    /// to give it up; [`delivered`](ExportError::delivered) tells a part that was, and [`refused`](ExportError::refused) a
    /// part that never will be while the rest may.
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError>;

    /// Is called once, after the last batch; the exporter is dropped next, on the same thread.
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

/// Why a batch was not delivered, and what is to become of it.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::report::ExportError;
///
/// // The backend is busy, and says for how long.
/// let busy = ExportError::retry("503 Service Unavailable").after(Duration::from_secs(2));
/// // It refused three spans of eight.
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
    /// What failed may succeed later: the batch is kept and offered again, with growing pauses, as often as the
    /// [builder](super::ReporterBuilder::retries) says.
    pub fn retry(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
            retry: true,
            after: None,
            delivered: 0,
            refused: 0,
        }
    }

    /// What failed will fail again: the batch is given up.
    pub fn rejected(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            retry: false,
            ..Self::retry(source)
        }
    }

    /// Says how long to wait before the batch is offered again, in place of the reporter's own pause; at most the
    /// [greatest pause](super::ReporterBuilder::backoff). Means nothing for a rejected batch.
    #[must_use]
    pub const fn after(mut self, pause: Duration) -> Self {
        self.after = Some(pause);
        self
    }

    /// Says how many spans of the batch were delivered all the same; none by default.
    ///
    /// On a retry those are the batch's first, and only the rest is offered again. On a rejection only the rest counts as
    /// dropped.
    #[must_use]
    pub const fn delivered(mut self, spans: usize) -> Self {
        self.delivered = spans;
        self
    }

    /// Sets how many spans of the batch the backend refused for good, beside those that were delivered; none by default.
    ///
    /// For an exporter that sends a batch in several requests. On a retry the batch's first `delivered + refused` spans are
    /// done with: the refused ones count as dropped, and only the rest is offered again. Means nothing for a rejected batch,
    /// of which everything that was not delivered counts as dropped.
    ///
    /// ```
    /// use opentracing_http::report::ExportError;
    ///
    /// // Of a first request with 8 spans 3 were refused, and the second request found the backend busy.
    /// let error = ExportError::retry("503 Service Unavailable").delivered(5).refused(3);
    /// # let _ = error;
    /// ```
    #[must_use]
    pub const fn refused(mut self, spans: usize) -> Self {
        self.refused = spans;
        self
    }

    /// Whether the batch is to be offered again.
    #[must_use]
    pub const fn is_retry(&self) -> bool {
        self.retry
    }
}

// The cause is what there is to say, so it is shown in this error's place rather than as its source.
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
