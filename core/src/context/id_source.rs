//! Sources of trace and span ids.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::context::ids::{SpanId, TraceId};

/// A source of ids, set with [`HttpTracingBuilder::ids`](crate::HttpTracingBuilder::ids); tests can use exact ids. A
/// panic in it is caught.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use opentracing_http::{HttpTracing, IdSource, InMemoryTracer, SpanId, TraceId};
///
/// /// Counts from 1.
/// #[derive(Debug, Default)]
/// struct Counter(AtomicU64);
///
/// impl IdSource for Counter {
///     fn trace_id(&self) -> TraceId {
///         TraceId::new(7).unwrap()
///     }
///
///     fn span_id(&self) -> SpanId {
///         SpanId::new(self.0.fetch_add(1, Ordering::Relaxed) + 1).unwrap()
///     }
/// }
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).ids(Counter::default()).build()?;
/// let context = tracing.span("work").start().context().expect("it is recorded");
/// assert_eq!((context.trace_id().get(), context.span_id().get()), (7, 1));
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
pub trait IdSource: fmt::Debug + Send + Sync {
    /// Returns a new trace id. Its right-most 56 bits should be random (W3C Trace Context level 2, section 3.2.2.5.2).
    fn trace_id(&self) -> TraceId;

    /// Returns a new span id.
    fn span_id(&self) -> SpanId;
}

macro_rules! id_source_behind_a_pointer {
    ($($pointer:ident)*) => {$(
        impl<T: IdSource + ?Sized> IdSource for $pointer<T> {
            fn trace_id(&self) -> TraceId {
                (**self).trace_id()
            }

            fn span_id(&self) -> SpanId {
                (**self).span_id()
            }
        }
    )*};
}

id_source_behind_a_pointer!(Box Arc);

/// The default source: a random generator for each thread, seeded by the operating system.
///
/// Ids are unique in practice but not secret: the generator is not cryptographic.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

thread_local! {
    static GENERATOR: RefCell<SmallRng> = RefCell::new(seeded());
}

/// Seeds from a standard map's keys if the operating system's random numbers are not available (in a sandbox).
fn seeded() -> SmallRng {
    SmallRng::try_from_os_rng().unwrap_or_else(|_| {
        use std::hash::BuildHasher;
        SmallRng::seed_from_u64(std::hash::RandomState::new().hash_one(std::thread::current().id()))
    })
}

fn random() -> u64 {
    GENERATOR
        .try_with(|generator| generator.borrow_mut().next_u64())
        // The thread is ending, and its generator is gone.
        .unwrap_or_else(|_| seeded().next_u64())
}

impl IdSource for RandomIds {
    fn trace_id(&self) -> TraceId {
        loop {
            let id = u128::from(random()) << 64 | u128::from(random());
            if let Some(id) = TraceId::new(id) {
                return id;
            }
        }
    }

    fn span_id(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::new(random()) {
                return id;
            }
        }
    }
}
