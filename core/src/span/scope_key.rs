//! Scopes that another system of spans enters and leaves in two separate calls.

use std::cell::RefCell;

use crate::span::current::{self, Kind};
use crate::span::handle::Span;

thread_local! {
    /// The keys of the scopes of this thread that were entered by key, and the numbers of the scopes; the last one entered last.
    static KEYED: RefCell<Vec<(ScopeKey, u64)>> = const { RefCell::new(Vec::new()) };
}

/// Identifies a scope that is entered in one call and left in another one, for bridges to other systems of spans, such as that of
/// the `tracing` crate. Applications use [`Span::enter`], [`Span::in_scope`] and [`Span::scope`] instead.
///
/// Scopes can be left in any order. A scope that is not left ends together with the [future](Span::scope) or the
/// [call](Span::in_scope) within which it was entered; to leave it later does nothing.
///
/// ```
/// use opentracing_http::scope::ScopeKey;
/// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let (outer, inner) = (tracing.span("outer").start(), tracing.span("inner").start());
///
/// // The other system has the number 1, and spans with the ids 7 and 8.
/// let (first, second) = (ScopeKey::new(1, 7), ScopeKey::new(1, 8));
/// first.enter((*outer).clone());
/// second.enter((*inner).clone());
/// assert_eq!(ScopeKey::current(), Some(second));
/// assert_eq!(Span::current().context(), inner.context());
///
/// first.leave(); // out of order
/// assert!(!first.is_entered());
/// assert_eq!(Span::current().context(), inner.context());
/// second.leave();
/// assert!(Span::current().is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeKey {
    system: u64,
    id: u64,
}

impl ScopeKey {
    /// Creates a key: the number of the other system, which distinguishes it from others in the process, and its span's id. See
    /// [`ScopeKey`] for an example.
    #[must_use]
    pub const fn new(system: u64, id: u64) -> Self {
        Self { system, id }
    }

    /// Returns the id of the other system's span. See [`ScopeKey`] for an example.
    #[must_use]
    pub const fn id(self) -> u64 {
        self.id
    }

    /// Makes the span current on this thread until [`leave`](Self::leave) is called. See [`ScopeKey`] for an example.
    ///
    /// If a key is entered several times, each call has to be matched by one of `leave`.
    pub fn enter(self, span: Span) {
        // Otherwise keys whose scopes ended with a future, and that nobody leaves, would accumulate.
        let has_room = KEYED.try_with(|keyed| {
            let keyed = &mut *keyed.borrow_mut();
            while keyed
                .pop_if(|(_, number)| !current::is_entered(*number))
                .is_some()
            {}
        });
        if has_room.is_ok() {
            let number = current::enter(span, Kind::Guard);
            let _ = KEYED.try_with(|keyed| keyed.borrow_mut().push((self, number)));
        }
    }

    /// Leaves the scope that was entered last with this key on this thread; scopes within it stay. Returns the handle that was
    /// entered; `None` if there is no such scope any more. See [`ScopeKey`] for an example.
    #[allow(clippy::must_use_candidate, reason = "the call is made for its effect")]
    pub fn leave(self) -> Option<Span> {
        let number = KEYED.try_with(|keyed| {
            let keyed = &mut *keyed.borrow_mut();
            let at = keyed.iter().rposition(|(key, _)| *key == self)?;
            Some(keyed.remove(at).1)
        });
        current::take_guard(number.ok().flatten()?)
    }

    /// Returns `true` if this thread is in a scope with this key. See [`ScopeKey`] for an example.
    #[must_use]
    pub fn is_entered(self) -> bool {
        let is_entered = KEYED.try_with(|keyed| {
            let keyed = keyed.borrow();
            let mut own = keyed.iter().rev().filter(|(key, _)| *key == self);
            own.any(|(_, number)| current::is_entered(*number))
        });
        is_entered.unwrap_or(false)
    }

    /// Returns the key of this thread's innermost scope; `None` if that one was not entered by key. See [`ScopeKey`] for an
    /// example.
    #[must_use]
    pub fn current() -> Option<Self> {
        let last = KEYED.try_with(|keyed| keyed.borrow().last().copied());
        let (key, number) = last.ok().flatten()?;
        current::is_innermost(number).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracer::InMemoryTracer;
    use crate::{HttpTracing, OwnedSpan};

    fn span(name: &'static str) -> OwnedSpan {
        HttpTracing::new(InMemoryTracer::new()).span(name).start()
    }

    fn keys() -> usize {
        KEYED.with_borrow(Vec::len)
    }

    #[test]
    fn key_that_is_never_left_does_not_outlive_its_call_for_long() {
        let (outer, inner) = (span("outer"), span("inner"));
        for id in 0..100 {
            outer.in_scope(|| {
                ScopeKey::new(1, id).enter((*inner).clone());
                ScopeKey::new(1, id + 1).enter((*inner).clone());
            });
            assert!(Span::current().is_none());
            assert!(!ScopeKey::new(1, id).is_entered());
            assert!(keys() <= 2, "{}", keys());
        }
        assert!(ScopeKey::new(1, 99).leave().is_none());
    }

    #[test]
    fn key_that_was_entered_twice_is_left_twice() {
        let (outer, inner) = (span("outer"), span("inner"));
        let (a, b) = (ScopeKey::new(1, 1), ScopeKey::new(1, 2));
        a.enter((*outer).clone());
        b.enter((*inner).clone());
        a.enter((*outer).clone());
        assert!(a.leave().is_some());
        assert_eq!(ScopeKey::current(), Some(b));
        assert!(b.leave().is_some());
        assert_eq!(ScopeKey::current(), Some(a));
        assert!(a.leave().is_some());
        assert!(a.leave().is_none());
        assert_eq!((ScopeKey::current(), keys()), (None, 0));
    }

    #[test]
    fn scope_of_another_kind_within_a_key_is_the_innermost() {
        let (outer, inner) = (span("outer"), span("inner"));
        let key = ScopeKey::new(1, 1);
        key.enter((*outer).clone());
        inner.in_scope(|| {
            assert_eq!(ScopeKey::current(), None);
            assert!(key.is_entered());
            key.leave();
            assert_eq!(Span::current().context(), inner.context());
        });
        assert!(Span::current().is_none());
    }
}
