//! The result of a flush.

use std::fmt;

/// The result of a flush: whether it was complete in time, and how many spans it lost.
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
    /// A flush that delivered everything in time.
    pub const COMPLETE: Self = Self {
        timed_out: false,
        panicked: false,
        lost: 0,
    };

    /// Adds that the time was over before every span was delivered or lost.
    ///
    /// ```
    /// use opentracing_http::Flushed;
    ///
    /// let slow = Flushed::COMPLETE.with_time_out();
    /// let both = slow.and(Flushed::COMPLETE.with_lost(3));
    /// assert_eq!(both.to_string(), "timed out, 3 spans lost");
    /// assert!(!both.is_complete() && !both.panicked());
    /// ```
    #[must_use]
    pub const fn with_time_out(mut self) -> Self {
        self.timed_out = true;
        self
    }

    /// Adds this number of lost spans.
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

    /// Combines the results of two flushes that ran at the same time, such as those of two tracers.
    #[must_use]
    pub const fn and(mut self, other: Self) -> Self {
        self.timed_out |= other.timed_out;
        self.panicked |= other.panicked;
        self.with_lost(other.lost)
    }

    /// Returns `true` if every waiting span was delivered in time: no time-out, no loss, no panic.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.timed_out && !self.panicked && self.lost == 0
    }

    /// Returns `true` if the time was over before every span was delivered or lost. The others may still be delivered.
    #[must_use]
    pub const fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Returns `true` if a tracer panicked in its flush, so that the state of its spans is not known.
    #[must_use]
    pub const fn panicked(&self) -> bool {
        self.panicked
    }

    /// Returns how many of the spans that were waiting when this flush began were lost.
    /// [`HttpTracing::dropped`](crate::HttpTracing::dropped) also counts earlier losses.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// Writes text such as `complete`, `timed out` or `timed out, 3 spans lost`.
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
