//! Clocks.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// A source of time. Set it with [`HttpTracingBuilder::clock`](crate::HttpTracingBuilder::clock), so that a test sees exact times.
///
/// The first span of a trace in this process reads [`wall`](Self::wall) once, at its start. All other times of the trace are
/// computed from that and from [`monotonic`](Self::monotonic). So a span never ends before it starts, and a child never starts
/// before its parent, even if the time of day is changed.
///
/// Both methods are called on any thread that starts or ends a span. If one panics, the panic is
/// [counted](crate::HttpTracing::caught_panics), and the system's time of day or zero is used.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use opentracing_http::{Clock, HttpTracing, InMemoryTracer};
///
/// /// Always shows the same time.
/// #[derive(Debug)]
/// struct Stopped;
///
/// impl Clock for Stopped {
///     fn wall(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH
///     }
///     fn monotonic(&self) -> Duration {
///         Duration::ZERO
///     }
/// }
///
/// let tracer = InMemoryTracer::new();
/// let tracing = HttpTracing::builder(tracer.clone()).clock(Stopped).build()?;
/// tracing.span("import").start().finish();
/// assert_eq!(tracer.finished()[0].duration(), Duration::ZERO);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the time of day. See [`Clock`] for an example.
    fn wall(&self) -> SystemTime;

    /// Returns the time since a fixed moment that the clock chooses. It must never decrease. See [`Clock`] for an example.
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

/// The moment from which the system's monotonic clock counts: its first use.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// The operating system's clocks. The default of a policy.
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
