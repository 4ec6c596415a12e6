//! The spans of this crate that belong to open spans of `tracing`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentracing_http::{OwnedSpan, Span};

/// The span that belongs to one span of `tracing`.
pub(crate) enum Kept {
    /// A span of its own.
    Own {
        span: OwnedSpan,
        /// When it was left last, if it was entered at all.
        left: Option<SystemTime>,
    },
    /// The span that was current when this one was created in a request that is not recorded, so that a task or a thread that
    /// enters this one continues the request's decision.
    Passed(Span),
}

impl Kept {
    /// Returns the span.
    pub(crate) fn span(&self) -> &Span {
        match self {
            Self::Own { span, .. } => span,
            Self::Passed(span) => span,
        }
    }

    /// Ends the span, if it is one of its own.
    ///
    /// The registry keeps a span open until its children have closed. If the span was entered, it ends when it was left last, and
    /// not with a task that outlives it.
    pub(crate) fn end(self) {
        match self {
            Self::Own {
                span,
                left: Some(left),
            } => span.finish_at(left),
            Self::Own { span, left: None } => span.finish(),
            Self::Passed(_) => {}
        }
    }
}

/// The spans by the id of `tracing`'s span.
///
/// The usual place would be the registry's extensions. It is not used for two reasons:
///
/// - An extension is found by its type alone, so two of these layers in one registry, such as one for requests and one for jobs with
///   roots, would overwrite each other's spans.
/// - Each extension is an allocation, and each access looks the span up in the registry. Most spans are in requests that are not
///   recorded, and these need an entry as well. Measured, in instructions for each span: 510 more outside of requests, 690 more and
///   an allocation in a request that is not recorded, 700 more and an allocation in one that is.
///
/// The maps here keep their memory, so that a span costs no allocation. No foreign code runs while a map is locked.
pub(crate) struct Spans {
    shards: [Shard; SHARDS],
}

/// So many that two threads rarely need the same one.
const SHARDS: usize = 32;

/// A map of this capacity gives its memory back as soon as it is empty.
const LARGE: usize = 1024;

/// On a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Shard {
    map: Mutex<Map>,
    /// The length of the map, to be read without the lock. A span's id reaches other threads only after its insertion.
    len: AtomicUsize,
}

impl Shard {
    /// Calls `f` with the map, if it is not empty.
    fn with<R>(&self, f: impl FnOnce(&mut Map) -> Option<R>) -> Option<R> {
        match self.len.load(Ordering::Relaxed) {
            0 => None,
            _ => f(&mut self.lock()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Map = HashMap<u64, Kept, BuildHasherDefault<Mix>>;

impl Spans {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Shard::default()),
        }
    }

    fn shard(&self, id: u64) -> &Shard {
        // Bits that the map itself does not use first.
        let at = (mix(id) >> 40) as usize % SHARDS;
        &self.shards[at]
    }

    pub(crate) fn insert(&self, id: u64, kept: Kept) {
        let shard = self.shard(id);
        let mut map = shard.lock();
        let before = map.insert(id, kept);
        shard.len.store(map.len(), Ordering::Relaxed);
        drop(map);
        // Ends without the lock. There is none, as long as the registry's ids are unique.
        drop(before);
    }

    /// Removes the span, which the caller ends.
    pub(crate) fn remove(&self, id: u64) -> Option<Kept> {
        let shard = self.shard(id);
        shard.with(|map| {
            let kept = map.remove(&id);
            if map.is_empty() && map.capacity() > LARGE {
                *map = Map::default();
            }
            shard.len.store(map.len(), Ordering::Relaxed);
            kept
        })
    }

    /// Returns what `look` returns for the span. `look` runs while a lock is held.
    pub(crate) fn look<R>(&self, id: u64, look: impl FnOnce(&Kept) -> R) -> Option<R> {
        self.shard(id).with(|map| map.get(&id).map(look))
    }

    /// Returns a handle to the span.
    pub(crate) fn get(&self, id: u64) -> Option<Span> {
        self.look(id, |kept| kept.span().clone())
    }

    /// Returns a handle to the span, if it is one of its own.
    pub(crate) fn own(&self, id: u64) -> Option<Span> {
        self.look(id, |kept| match kept {
            Kept::Own { span, .. } => Some((**span).clone()),
            Kept::Passed(_) => None,
        })
        .flatten()
    }

    /// Notes that the span was left at this time.
    pub(crate) fn note_left(&self, id: u64, time: SystemTime) {
        self.shard(id).with(|map| {
            if let Kept::Own { left, .. } = map.get_mut(&id)? {
                *left = Some(time);
            }
            Some(())
        });
    }
}

/// Spreads an id over all bits. The registry's ids are small numbers, with the thread and the generation in the upper bits.
const fn mix(id: u64) -> u64 {
    let product = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

/// The hasher of ids. They are the registry's own, so nobody can choose them, and the standard library's hasher, which protects
/// against that, would cost 400 instructions more for each span.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = mix(self.0 ^ id);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentracing_http::{HttpTracing, InMemoryTracer};

    #[test]
    fn map_that_was_large_gives_its_memory_back() {
        let spans = Spans::new();
        let many = (2 * LARGE * SHARDS) as u64;
        for id in 1..=many {
            spans.insert(id, Kept::Passed(Span::none()));
        }
        let len: usize = spans.shards.iter().map(|shard| shard.lock().len()).sum();
        assert_eq!(len as u64, many);
        let lens = spans.shards.iter().map(|shard| shard.lock().len());
        assert!(lens.min().unwrap() > LARGE, "ids are spread over all maps");
        for id in 1..=many {
            assert!(spans.remove(id).is_some());
        }
        for shard in &spans.shards {
            assert!(shard.lock().capacity() <= LARGE);
        }
    }

    #[test]
    fn span_that_was_left_ends_then() {
        let tracer = InMemoryTracer::new();
        let spans = Spans::new();
        let span = HttpTracing::new(tracer.clone()).span("work").start();
        let left = span.now().unwrap();
        spans.insert(1, Kept::Own { span, left: None });
        spans.note_left(1, left);
        assert!(tracer.finished().is_empty());
        spans.remove(1).unwrap().end();
        assert_eq!(tracer.finished()[0].end(), left);
    }
}
