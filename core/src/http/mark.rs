//! The mark by which an inner mount point recognizes a request that an outer one has begun.

use http::Extensions;

/// A mark that identifies one of the requests that are running.
///
/// [`RequestSpan::leave_mark`](crate::server::RequestSpan::leave_mark) stores it with the request, and
/// [`RequestView::has_mark`](crate::RequestView::has_mark) looks it up there. See [`Marked`] for an example.
///
/// A mark is stored as two values of zero-sized types, chosen from 128 types, so that storing it needs no memory of its own. It
/// has 12 bits, so two requests can have the same mark by chance. It is compared only with the marks of those requests in whose
/// scopes the current thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u16);

/// A collection of values that a framework stores with a request, one for each type. Implemented for [`http::Extensions`].
///
/// ```
/// use std::any::TypeId;
/// use std::collections::HashSet;
///
/// use opentracing_http::propagation::HeaderView;
/// use opentracing_http::server::{Instrumentation, Mark, Marked};
/// use opentracing_http::{HttpTracing, InMemoryTracer, RequestView};
///
/// /// A framework's collection: zero-sized values need no more than their type.
/// #[derive(Default)]
/// struct Types(HashSet<TypeId>);
///
/// impl Marked for Types {
///     fn insert<T: Clone + Send + Sync + 'static>(&mut self, _: T) {
///         self.0.insert(TypeId::of::<T>());
///     }
///     fn contains<T: Clone + Send + Sync + 'static>(&self) -> bool {
///         self.0.contains(&TypeId::of::<T>())
///     }
/// }
///
/// #[derive(Default)]
/// struct Request {
///     headers: Vec<(String, String)>,
///     types: Types,
/// }
///
/// impl RequestView for Request {
///     fn method(&self) -> &str {
///         "GET"
///     }
///     fn path(&self) -> &str {
///         "/"
///     }
///     fn headers(&self) -> &dyn HeaderView {
///         &self.headers
///     }
///     fn has_mark(&self, mark: Mark) -> bool {
///         mark.is_on(&self.types)
///     }
/// }
///
/// let tracer = InMemoryTracer::new();
/// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
/// let mut request = Request::default();
///
/// // The outer mount point begins the request and marks it.
/// let mut outer = instrumentation.begin(&request);
/// outer.leave_mark(&mut request.types);
/// outer.scope(|| {
///     // The inner mount point recognizes the mark, and uses the same span.
///     let inner = instrumentation.begin(&request);
///     assert!(!inner.is_outermost());
/// });
/// drop(outer.respond(&mut http::StatusCode::OK));
/// assert_eq!(tracer.finished().len(), 1);
/// ```
pub trait Marked {
    /// Stores a value under its type. See [`Marked`] for an example.
    fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T);

    /// Returns `true` if a value of this type is stored. See [`Marked`] for an example.
    fn contains<T: Clone + Send + Sync + 'static>(&self) -> bool;
}

impl Marked for Extensions {
    fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        Self::insert(self, value);
    }

    fn contains<T: Clone + Send + Sync + 'static>(&self) -> bool {
        self.get::<T>().is_some()
    }
}

/// One half of a mark: `HALF` is 0 for the lower bits and 1 for the upper bits, `VALUE` is their value.
#[derive(Clone)]
struct Half<const HALF: u8, const VALUE: u16>;

/// The number of bits of one half.
const BITS: u16 = 6;

/// Evaluates `$use` with `$half` bound to the half of this value. The lower [`BITS`] bits of `$value` count.
macro_rules! with_half {
    ($which:literal, $value:expr, $half:ident => $use:expr) => {
        with_half! { $which, $value, $half => $use;
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
            61 62
        }
    };
    ($which:literal, $value:expr, $half:ident => $use:expr; $($number:literal)*) => {
        match $value & ((1 << BITS) - 1) {
            $($number => {
                let $half = Half::<$which, $number>;
                $use
            })*
            _ => {
                let $half = Half::<$which, 63>;
                $use
            }
        }
    };
}

impl Mark {
    /// Creates a mark of the lower bits of a number.
    pub(crate) const fn new(value: u32) -> Self {
        Self(value as u16)
    }

    /// Stores the mark with a request.
    pub(crate) fn leave(self, request: &mut impl Marked) {
        with_half!(0, self.0, half => request.insert(half));
        with_half!(1, self.0 >> BITS, half => request.insert(half));
    }

    /// Returns `true` if the mark is stored with this request. See [`Marked`] for an example.
    #[must_use]
    pub fn is_on(self, request: &impl Marked) -> bool {
        fn has<T: Clone + Send + Sync + 'static>(request: &impl Marked, _: T) -> bool {
            request.contains::<T>()
        }
        with_half!(0, self.0, half => has(request, half))
            && with_half!(1, self.0 >> BITS, half => has(request, half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_where_it_was_left_and_no_other() {
        let all = || (0..1 << (2 * BITS)).map(|value| Mark::new(value | 0xa000));
        for mark in all().step_by(61) {
            let mut request = Extensions::new();
            assert!(!mark.is_on(&request));
            mark.leave(&mut request);
            assert_eq!(request.len(), 2);
            let found: Vec<_> = all().filter(|mark| mark.is_on(&request)).collect();
            assert_eq!(found, [mark]);
        }
    }
}
