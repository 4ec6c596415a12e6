//! Where times come from.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// A source of time; an option of the policy, so that tests can be exact.
///
/// The first span of a trace in this process reads [`wall`](Self::wall) once, at its start. Everything else, durations and the
/// starts of spans below it, is counted from there by [`monotonic`](Self::monotonic), so that a clock that is set never makes
/// a span end before it starts, nor a child start before its parent.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day.
    fn wall(&self) -> SystemTime;

    /// The time since a fixed moment of this clock's own choice; never goes back.
    fn monotonic(&self) -> Duration;
}

macro_rules! clock_behind_a_pointer {
    ($($pointer:ident)*) => {$(
        impl<T: Clock + ?Sized> Clock for $pointer<T> {
            fn wall(&self) -> SystemTime {
                (**self).wall()
            }

            fn monotonic(&self) -> Duration {
                (**self).monotonic()
            }
        }
    )*};
}

clock_behind_a_pointer!(Box Arc);

/// The moment that the system's monotonic clock is counted from.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// The operating system's clocks; the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        let origin = *ORIGIN.get_or_init(Instant::now);
        Instant::now().saturating_duration_since(origin)
    }
}
