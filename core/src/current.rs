//! The current span: a thread-local that is set only while a scope runs or a future is polled.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::span::Span;

/// What is current on this thread, and which scope made it so.
struct Top {
    span: Span,
    scope: u64,
    last_scope: u64,
    /// Scopes that were left before one entered after them, with what they would have brought back.
    left_early: Vec<Early>,
}

/// A scope that was left early, with what it would have brought back.
type Early = (u64, Span, u64);

impl Top {
    /// Follows scopes that have been left already down to the first that has not.
    fn below(&mut self, span: &mut Span, scope: &mut u64, gone: &mut Vec<Early>) {
        while let Some(at) = self.left_early.iter().position(|(left, ..)| left == scope) {
            let mut early = self.left_early.remove(at);
            early.1.adopt_late_changes(span);
            std::mem::swap(&mut early.1, span);
            *scope = early.2;
            gone.push(early);
        }
    }

    /// Brings this back as what is current. Answers what was, and what is to be dropped outside of the borrow: dropping a
    /// span may be anything.
    fn restore(&mut self, mut span: Span, mut scope: u64) -> (Span, Vec<Early>) {
        let mut gone = Vec::new();
        if !self.left_early.is_empty() {
            self.below(&mut span, &mut scope, &mut gone);
            // Later scopes have greater numbers, and are gone with the one that is left now.
            let all = std::mem::take(&mut self.left_early).into_iter();
            let (stale, kept): (Vec<_>, _) = all.partition(|(left, ..)| *left > scope);
            self.left_early = kept;
            gone.extend(stale);
        }
        self.scope = scope;
        let was = std::mem::replace(&mut self.span, span);
        // An outer scope may be one of the same span.
        self.span.adopt_late_changes(&was);
        (was, gone)
    }
}

/// More scopes than this left out of order at once means guards that leak; the oldest are forgotten.
const MAX_LEFT_EARLY: usize = 16;

thread_local! {
    static TOP: RefCell<Top> = const {
        RefCell::new(Top { span: Span::none(), scope: 0, last_scope: 0, left_early: Vec::new() })
    };
}

/// A copy of the current span; the empty one where none is, also while the thread ends.
pub(crate) fn current() -> Span {
    with_current(Span::clone).unwrap_or_default()
}

/// Looks at the current span. `look` must not enter or leave a scope.
pub(crate) fn with_current<R>(look: impl FnOnce(&Span) -> R) -> Option<R> {
    TOP.try_with(|top| top.try_borrow().ok().map(|top| look(&top.span)))
        .ok()
        .flatten()
}

/// A span made current; what was current before comes back when this is dropped.
pub(crate) struct Scope {
    previous: Span,
    previous_scope: u64,
    scope: u64,
}

impl Scope {
    pub(crate) fn enter(span: Span) -> Self {
        let hooked = span.hooks().is_some().then(|| span.clone());
        let (previous, previous_scope, scope) = TOP
            .try_with(|top| {
                let mut top = top.borrow_mut();
                top.last_scope += 1;
                let scope = top.last_scope;
                (
                    std::mem::replace(&mut top.span, span),
                    std::mem::replace(&mut top.scope, scope),
                    scope,
                )
            })
            .unwrap_or_default();
        if let Some(span) = hooked {
            span.call_hooks(|hook| hook.enter(&span));
        }
        Self {
            previous,
            previous_scope,
            scope,
        }
    }

    /// Brings back what was current before, and whatever was entered since and is still there goes with this scope.
    pub(crate) fn force_leave(&mut self, owner: &Span) {
        leave_hooks(owner);
        let previous = std::mem::take(&mut self.previous);
        let restored = TOP.try_with(|top| top.borrow_mut().restore(previous, self.previous_scope));
        if let Ok((was, _gone)) = restored {
            owner.adopt_late_changes(&was);
        }
    }

    /// Brings back what was current before, also when scopes are left in another order than they were entered in.
    fn leave(&mut self, owner: &Span) {
        leave_hooks(owner);
        let mut previous = std::mem::take(&mut self.previous);
        // Dropped outside of the borrow, as whatever is left of `previous`.
        let mut gone = Vec::new();
        let restored = TOP.try_with(|top| {
            let mut top = top.borrow_mut();
            if top.scope == self.scope {
                let previous = std::mem::take(&mut previous);
                return Some(top.restore(previous, self.previous_scope));
            }
            // Below the top, or gone already with a scope further out.
            if top.scope > self.scope {
                let mut below = self.previous_scope;
                top.below(&mut previous, &mut below, &mut gone);
                if top.left_early.len() == MAX_LEFT_EARLY {
                    gone.push(top.left_early.remove(0));
                }
                let early = (self.scope, std::mem::take(&mut previous), below);
                top.left_early.push(early);
            }
            None
        });
        if let Ok(Some((was, _gone))) = restored {
            owner.adopt_late_changes(&was);
        }
    }
}

fn leave_hooks(span: &Span) {
    if span.hooks().is_some() {
        span.call_hooks(|hook| hook.exit(span));
    }
}

/// Runs `f` with `span` current, and brings back what was current before, also when `f` panics.
pub(crate) fn in_scope<R>(span: &Span, f: impl FnOnce() -> R) -> R {
    struct Restore<'a>(Scope, &'a Span);
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            self.0.force_leave(self.1);
        }
    }
    let _restore = Restore(Scope::enter(span.clone()), span);
    f()
}

/// Runs `f` with the span in `slot` current, and brings back what was current before, also when `f` panics.
///
/// The handle changes places with the current one, which is several times cheaper than a copy. `owner` is another handle
/// of the same span: where a guard that leaked out of `f` has taken the first one along, it gives a new one.
pub(crate) fn lend<R>(slot: &mut Span, owner: &Span, f: impl FnOnce() -> R) -> R {
    struct TakeBack<'a> {
        slot: &'a mut Span,
        owner: &'a Span,
        scope: u64,
        previous_scope: u64,
    }
    impl Drop for TakeBack<'_> {
        fn drop(&mut self) {
            leave_hooks(self.owner);
            // Another span that was left there goes outside of the borrow: dropping it may be anything.
            let (mut left, mut _gone) = (None, Vec::new());
            let _ = TOP.try_with(|top| {
                let mut top = top.borrow_mut();
                let is_top = top.scope == self.scope;
                if top.left_early.is_empty() {
                    std::mem::swap(&mut top.span, self.slot);
                    top.scope = self.previous_scope;
                } else {
                    let previous = std::mem::take(self.slot);
                    (*self.slot, _gone) = top.restore(previous, self.previous_scope);
                }
                if !is_top {
                    left = Some(std::mem::replace(self.slot, self.owner.clone()));
                }
                top.span.adopt_late_changes(self.slot);
            });
            self.owner.adopt_late_changes(self.slot);
        }
    }
    let (scope, previous_scope) = TOP
        .try_with(|top| {
            let mut top = top.borrow_mut();
            top.last_scope += 1;
            let scope = top.last_scope;
            std::mem::swap(&mut top.span, slot);
            (scope, std::mem::replace(&mut top.scope, scope))
        })
        .unwrap_or_default();
    let _take_back = TakeBack {
        slot,
        owner,
        scope,
        previous_scope,
    };
    if owner.hooks().is_some() {
        owner.call_hooks(|hook| hook.enter(owner));
    }
    f()
}

/// Keeps a span current on this thread until it is dropped; see [`Span::enter`].
#[must_use = "the span is current only while this guard lives"]
pub struct Entered<'a> {
    scope: Scope,
    span: &'a Span,
    // A scope belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(span: &'a Span) -> Self {
        Self {
            scope: Scope::enter(span.clone()),
            span,
            not_send: PhantomData,
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.scope.leave(self.span);
    }
}

impl std::fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Entered").field(self.span).finish()
    }
}

pin_project! {
    /// A future that has a span current whenever it is polled, and while it is dropped; see [`Span::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct Scoped<F> {
        // Dropped within the scope, so an `Option` that is emptied there.
        #[pin]
        future: Option<F>,
        span: Span,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                in_scope(this.span, || this.future.set(None));
            }
        }
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(span: Span, future: F) -> Self {
        Self {
            future: Some(future),
            span,
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.future.as_pin_mut() {
            Some(future) => in_scope(this.span, || future.poll(cx)),
            // Only `drop` empties it.
            None => Poll::Pending,
        }
    }
}
