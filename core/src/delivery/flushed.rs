//! What came of a flush.

use std::fmt;

/// What came of a flush: whether its time was enough, and how many spans were lost in it.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let flushed = tracing.flush(Duration::from_secs(5));
/// if flushed.timed_out() {
///     eprintln!("some spans are still on their way");
/// }
/// if flushed.lost() > 0 {
///     eprintln!("{} of the last spans were lost", flushed.lost());
/// }
/// assert!(flushed.is_complete());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flushed {
    timed_out: bool,
    panicked: bool,
    lost: u64,
}

impl Flushed {
    /// Everything was delivered in time.
    pub const COMPLETE: Self = Self {
        timed_out: false,
        panicked: false,
        lost: 0,
    };

    /// Adds that the time was over before everything was delivered or lost.
    #[must_use]
    pub const fn with_time_out(mut self) -> Self {
        self.timed_out = true;
        self
    }

    /// Adds so many lost spans.
    #[must_use]
    pub const fn with_lost(mut self, spans: u64) -> Self {
        self.lost = self.lost.saturating_add(spans);
        self
    }

    /// Adds that a tracer panicked in its flush.
    pub(crate) const fn with_panic(mut self) -> Self {
        self.panicked = true;
        self
    }

    /// Adds what came of another flush at the same time, such as that of another tracer.
    #[must_use]
    pub const fn and(mut self, other: Self) -> Self {
        self.timed_out |= other.timed_out;
        self.panicked |= other.panicked;
        self.with_lost(other.lost)
    }

    /// Whether everything that was waiting was delivered in time: nothing timed out, was lost or panicked.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.timed_out && !self.panicked && self.lost == 0
    }

    /// Whether the time was over before everything was delivered or lost: what is left may still be delivered.
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Whether a tracer panicked in its flush, so that nothing is known of its spans.
    #[must_use]
    pub const fn panicked(&self) -> bool {
        self.panicked
    }

    /// How many spans were lost in this flush: those that were waiting when it began. What was lost before is in
    /// [`HttpTracing::dropped`](crate::HttpTracing::dropped) only.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// Shows such as `complete`, `timed out` and `timed out, 3 spans lost`.
impl fmt::Display for Flushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = "";
        for (applies, text) in [(self.timed_out, "timed out"), (self.panicked, "panicked")] {
            if applies {
                write!(f, "{rest}{text}")?;
                rest = ", ";
            }
        }
        match self.lost {
            0 if rest.is_empty() => f.write_str("complete"),
            0 => Ok(()),
            1 => write!(f, "{rest}1 span lost"),
            lost => write!(f, "{rest}{lost} spans lost"),
        }
    }
}
