//! The current span: the top of a stack that each thread has, filled only while a scope runs or a future is polled.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::span::handle::Span;
use crate::span::mark::Mark;

/// The scopes that a thread is in, the innermost last. Scopes that are left out of order are taken out where they stand.
struct Stack {
    scopes: Vec<Scope>,
    /// How many scopes have ever been entered: the number of the last one.
    entered: u64,
}

/// A scope that a thread is in. Whoever left its guard or its frame knows it by its number, which grows along the stack.
struct Scope {
    span: Span,
    number: u64,
    kind: Kind,
}

/// What a scope ends with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A guard in the hands of the application, which can be dropped at any time, in any order, or never.
    Guard,
    /// A function call: everything entered within has to be left by its end.
    Call,
    /// The poll of a future, or its drop.
    Poll,
    /// A part of a request that its adapter runs: a call, a poll, a drop.
    Request,
}

impl Stack {
    fn enter(&mut self, span: Span, kind: Kind) -> u64 {
        self.entered += 1;
        self.scopes.push(Scope {
            span,
            number: self.entered,
            kind,
        });
        self.entered
    }

    fn is_top(&self, number: u64) -> bool {
        self.scopes.last().is_some_and(|top| top.number == number)
    }

    /// Takes the innermost scope out. An outer one may be one of the same span.
    fn pop(&mut self) -> Option<Span> {
        let top = self.scopes.pop()?;
        if let Some(below) = self.scopes.last() {
            below.span.adopt_late_changes(&top.span);
        }
        Some(top.span)
    }

    /// Takes one scope out, wherever it stands.
    fn remove(&mut self, number: u64) -> Option<Span> {
        let at = self.position(number)?;
        let removed = self.scopes.remove(at);
        if let Some(below) = at.checked_sub(1).and_then(|at| self.scopes.get(at)) {
            below.span.adopt_late_changes(&removed.span);
        }
        Some(removed.span)
    }

    /// Takes the scope out, with every scope within.
    fn truncate(&mut self, number: u64) -> Vec<Scope> {
        let Some(at) = self.position(number) else {
            return Vec::new();
        };
        let removed = self.scopes.split_off(at);
        if let (Some(below), Some(first)) = (self.scopes.last(), removed.first()) {
            below.span.adopt_late_changes(&first.span);
        }
        removed
    }

    /// Where the scope stands; nowhere, if it went with one further out.
    fn position(&self, number: u64) -> Option<usize> {
        self.scopes.iter().rposition(|scope| scope.number == number)
    }
}

thread_local! {
    static STACK: RefCell<Stack> = const {
        RefCell::new(Stack { scopes: Vec::new(), entered: 0 })
    };
}

/// A copy of the current span; the empty one where none is, also while the thread ends.
pub(crate) fn current() -> Span {
    with_current(Span::clone).unwrap_or_default()
}

/// Looks at the current span. `look` must not enter or leave a scope.
pub(crate) fn with_current<R>(look: impl FnOnce(&Span) -> R) -> Option<R> {
    with_scopes(|scopes| scopes.last().map(|top| look(&top.span)))
}

/// The innermost request of those that this thread runs a part of, and that `is_it` takes for the one.
pub(crate) fn request(is_it: impl Fn(Mark) -> bool) -> Option<Span> {
    let nth = |nth: usize| {
        with_scopes(|scopes| {
            let mut requests = scopes
                .iter()
                .rev()
                .filter(|scope| scope.kind == Kind::Request);
            requests
                .nth(nth)
                .map(|scope| (scope.span.mark(), scope.span.clone()))
        })
    };
    // Asked while nothing is borrowed: it is not ours.
    let requests = (0..).map_while(nth);
    requests
        .filter(|(mark, _)| is_it(*mark))
        .map(|(_, span)| span)
        .next()
}

/// The current span, if it is one that a request which begins now belongs to.
///
/// That is one that was entered in a poll, or by one. A guard alone does not count: one that is held across an await outlives
/// its task's turn, and what runs on the thread then is somebody else's. Nor does a call, round a whole server for example.
pub(crate) fn parent() -> Option<Span> {
    with_scopes(|scopes| {
        let is_poll = |scope: &Scope| matches!(scope.kind, Kind::Poll | Kind::Request);
        let is_within_a_poll = scopes.iter().any(is_poll);
        let current = scopes.last().filter(|_| is_within_a_poll)?;
        (!current.span.is_none()).then(|| current.span.clone())
    })
}

fn with_scopes<R>(look: impl FnOnce(&[Scope]) -> Option<R>) -> Option<R> {
    STACK
        .try_with(|stack| look(&stack.try_borrow().ok()?.scopes))
        .ok()
        .flatten()
}

/// Enters a scope and returns its number. A thread that ends enters none.
pub(crate) fn enter(span: Span, kind: Kind) -> u64 {
    let hooked = span.hooks().is_some().then(|| span.clone());
    let number = STACK.try_with(|stack| stack.borrow_mut().enter(span, kind));
    if let Some(span) = hooked {
        span.call_hooks(|hook| hook.enter(&span));
    }
    number.unwrap_or_default()
}

/// Leaves a scope, and with it every scope that was entered within and not left: guards that were forgotten, or that outlive
/// their poll. Returns the scope's own handle, unless a scope further out has taken it along.
pub(crate) fn leave(number: u64, owner: &Span) -> Option<Span> {
    let is_plain = owner.hooks().is_none();
    let left = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        (is_plain && stack.is_top(number)).then(|| stack.pop())
    });
    let left = match left {
        Ok(Some(left)) => left,
        Ok(None) => leave_all_within(number),
        Err(_) => None,
    };
    if let Some(left) = &left {
        owner.adopt_late_changes(left);
    }
    left
}

#[cold]
fn leave_all_within(number: u64) -> Option<Span> {
    // Hooks are not ours. What they enter and do not leave has greater numbers, and ends with the scope, unseen by them.
    let mut last = u64::MAX;
    loop {
        let (next, hooked) = with_scopes(|scopes| {
            scopes.iter().rposition(|scope| scope.number == number)?;
            let mut inner = scopes.iter().rev();
            let next = inner.find(|scope| scope.number < last)?;
            let hooked = next.span.hooks().map(|_| next.span.clone());
            Some((next.number, hooked))
        })?;
        if let Some(span) = hooked {
            span.call_hooks(|hook| hook.exit(&span));
        }
        // Dropped outside of the borrow: dropping a span may be anything.
        if next == number {
            // A list of those within costs an allocation, and there are hardly ever any.
            let alone = STACK.try_with(|stack| {
                let mut stack = stack.borrow_mut();
                stack.is_top(number).then(|| stack.pop())
            });
            if let Some(left) = alone.ok()? {
                return left;
            }
            let left = STACK.try_with(|stack| stack.borrow_mut().truncate(number));
            return left.ok()?.into_iter().next().map(|scope| scope.span);
        }
        let _left = STACK.try_with(|stack| stack.borrow_mut().remove(next));
        last = next;
    }
}

/// Leaves the scope of a guard, and no other.
fn leave_guard(number: u64, owner: &Span) {
    if owner.hooks().is_some() {
        let is_there = STACK.try_with(|stack| stack.borrow().position(number).is_some());
        if is_there == Ok(true) {
            owner.call_hooks(|hook| hook.exit(owner));
        }
    }
    let left = STACK.try_with(|stack| stack.borrow_mut().remove(number));
    if let Ok(Some(left)) = left {
        owner.adopt_late_changes(&left);
    }
}

/// Runs `f` with `span` current, and brings back what was current before, also when `f` panics.
pub(crate) fn in_scope<R>(span: &Span, kind: Kind, f: impl FnOnce() -> R) -> R {
    struct Leave<'a>(u64, &'a Span);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            leave(self.0, self.1);
        }
    }
    let _leave = Leave(enter(span.clone(), kind), span);
    f()
}

/// Runs `f` with the span in `slot` current, and brings back what was current before, also when `f` panics.
///
/// The handle itself goes onto the stack and comes back, which is several times cheaper than a copy. `owner` is another
/// handle of the same span: where a scope further out has taken the first one along, it gives a new one.
pub(crate) fn lend<R>(slot: &mut Span, owner: &Span, f: impl FnOnce() -> R) -> R {
    struct TakeBack<'a> {
        slot: &'a mut Span,
        owner: &'a Span,
        number: u64,
    }
    impl Drop for TakeBack<'_> {
        fn drop(&mut self) {
            if !take_back(self.slot, self.number, self.owner) {
                *self.slot = leave(self.number, self.owner).unwrap_or_else(|| self.owner.clone());
            }
        }
    }
    let number = STACK
        .try_with(|stack| {
            let span = std::mem::take(slot);
            stack.borrow_mut().enter(span, Kind::Request)
        })
        .unwrap_or_default();
    let _take_back = TakeBack {
        slot,
        owner,
        number,
    };
    if owner.hooks().is_some() {
        owner.call_hooks(|hook| hook.enter(owner));
    }
    f()
}

/// Puts the handle of the innermost scope back into `slot`, where it came from, if the scope has this number and no hook
/// follows it. Returns `false` otherwise: [`leave`] does the same for all scopes, and costs twice as much.
fn take_back(slot: &mut Span, number: u64, owner: &Span) -> bool {
    let taken = STACK.try_with(|stack| {
        let scopes = &mut stack.borrow_mut().scopes;
        let (top, below) = scopes.split_last_mut()?;
        if top.number != number || owner.hooks().is_some() {
            return None;
        }
        if let Some(below) = below.last() {
            below.span.adopt_late_changes(&top.span);
        }
        owner.adopt_late_changes(&top.span);
        // What is dropped with the scope is the empty handle that was in the slot.
        std::mem::swap(slot, &mut top.span);
        scopes.pop().map(drop)
    });
    matches!(taken, Ok(Some(())))
}

/// Keeps a span current on this thread until it is dropped; see [`Span::enter`].
#[must_use = "the span is current only while this guard lives"]
pub struct Entered<'a> {
    number: u64,
    span: &'a Span,
    // A scope belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(span: &'a Span) -> Self {
        Self {
            number: enter(span.clone(), Kind::Guard),
            span,
            not_send: PhantomData,
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        leave_guard(self.number, self.span);
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
                in_scope(this.span, Kind::Poll, || this.future.set(None));
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
            Some(future) => in_scope(this.span, Kind::Poll, || future.poll(cx)),
            // Only `drop` empties it.
            None => Poll::Pending,
        }
    }
}
