//! Where ids come from.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use crate::context::ids::{SpanId, TraceId};

/// A source of ids; an option of the policy, so that tests can be exact.
pub trait IdSource: fmt::Debug + Send + Sync {
    /// A new trace id. The right-most 56 bits should be random (W3C Trace Context level 2, section 3.2.2.5.2).
    fn trace_id(&self) -> TraceId;

    /// A new span id.
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

/// Random ids of a generator per thread, seeded by the operating system; the default.
///
/// They are unique for all practical purposes, not secret: the generator is not a cryptographic one.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

thread_local! {
    static GENERATOR: RefCell<SmallRng> = RefCell::new(seeded());
}

/// The operating system's randomness may be denied (a sandbox); a standard map's keys are then the next best.
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
