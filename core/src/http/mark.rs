//! The mark by which an inner mount point knows the request that an outer one has begun.

use http::Extensions;

/// Tells a request from the others that are under way.
///
/// [`RequestSpan::leave_mark`](crate::server::RequestSpan::leave_mark) leaves it with the request, and
/// [`RequestView::has_mark`](crate::RequestView::has_mark) finds it there. It has no size, so it costs no allocation of its own:
/// its value is the choice of two types out of 128. With 12 bits it can be another request's by chance; it is compared only with
/// the marks of those requests in whose scopes the thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u16);

/// What a framework keeps with a request by its type. [`http::Extensions`] are.
pub trait Marked {
    /// Keeps a value of this type.
    fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T);

    /// Returns whether there is a value of this type.
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

/// One half of a mark.
#[derive(Clone)]
struct Half<const PLACE: u8, const VALUE: u16>;

const BITS: u16 = 6;

/// Uses the half with this value.
macro_rules! with_half {
    ($place:literal, $value:expr, $half:ident => $use:expr) => {
        with_half! { $place, $value, $half => $use;
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
            61 62
        }
    };
    ($place:literal, $value:expr, $half:ident => $use:expr; $($number:literal)*) => {
        match $value & ((1 << BITS) - 1) {
            $($number => {
                let $half = Half::<$place, $number>;
                $use
            })*
            _ => {
                let $half = Half::<$place, 63>;
                $use
            }
        }
    };
}

impl Mark {
    pub(crate) const fn new(value: u32) -> Self {
        Self(value as u16)
    }

    /// Leaves the mark with a request.
    pub(crate) fn leave(self, request: &mut impl Marked) {
        with_half!(0, self.0, half => request.insert(half));
        with_half!(1, self.0 >> BITS, half => request.insert(half));
    }

    /// Returns whether the mark was left with this request.
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
