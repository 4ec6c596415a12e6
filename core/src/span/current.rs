//! The current span: the top of a stack of scopes that each thread has. Scopes are on it while they run or are polled.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::http::Mark;
use crate::span::handle::Span;

/// The scopes that a thread is in. A scope that is left out of order is removed from its position.
struct Stack {
    /// The innermost scope, kept apart from the others: an ordinary request has only this one, and uses no vector.
    top: Cell<Option<Scope>>,
    /// The other scopes, the outermost first.
    below: RefCell<Vec<Scope>>,
    /// The length of `below`: an ordinary scope reads only this.
    covered: Cell<usize>,
    /// The number of scopes that were ever entered, which is the number of the last one.
    entered: Cell<u64>,
    /// Lent handles of scopes that were removed together with a scope further out. Their owners take them back.
    left_behind: RefCell<Vec<Scope>>,
}

/// A scope that a thread is in. Its guard or its caller identifies it by its number; inner scopes have greater numbers.
struct Scope {
    span: Span,
    number: u64,
    kind: Kind,
    /// Whether the handle has to be returned to its owner.
    is_lent: bool,
}

/// The kind of a scope, which determines what ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A guard that the application holds. It can be dropped at any time, in any order, or never.
    Guard,
    /// A function call. At its end all scopes that were entered within it are left.
    Call,
    /// One poll of a future, or its drop.
    Poll,
    /// A part of a request that its adapter runs: a call, a poll or a drop.
    Request,
}

impl Stack {
    fn is_empty(&self) -> bool {
        let top = self.top.take();
        let is_empty = top.is_none();
        self.top.set(top);
        is_empty
    }

    #[inline]
    fn enter(&self, span: Span, kind: Kind, is_lent: bool) -> u64 {
        let number = self.entered.get() + 1;
        self.entered.set(number);
        let outer = self.top.replace(Some(Scope {
            span,
            number,
            kind,
            is_lent,
        }));
        if let Some(outer) = outer {
            self.cover(outer);
        }
        number
    }

    #[inline(never)]
    fn cover(&self, outer: Scope) {
        let below = &mut *self.below.borrow_mut();
        below.push(outer);
        self.covered.set(below.len());
    }

    /// Removes the innermost scope if it has this number and no hook follows it. This is the fast path: ordinary scopes end here.
    fn pop(&self, number: u64) -> Option<Scope> {
        let top = self.top.take();
        match top {
            Some(scope) if scope.number == number && !scope.span.is_hooked() => {
                self.uncover();
                Some(scope)
            }
            top => {
                self.top.set(top);
                None
            }
        }
    }

    #[inline]
    fn uncover(&self) {
        if self.covered.get() > 0 {
            self.uncover_last();
        }
    }

    #[inline(never)]
    fn uncover_last(&self) {
        let below = &mut *self.below.borrow_mut();
        self.top.set(below.pop());
        self.covered.set(below.len());
    }

    /// Puts the handle of the innermost scope back into `slot`, if that scope has this number and no hook follows it.
    #[inline]
    fn take_back(&self, slot: &mut Span, number: u64) -> bool {
        match self.top.take() {
            Some(top) if top.number == number && !top.span.is_hooked() => {
                // What is in the slot is the empty handle.
                mem::forget(mem::replace(slot, top.span));
                self.uncover();
                true
            }
            top => {
                self.top.set(top);
                false
            }
        }
    }

    /// Calls `f` with all scopes as a list, the innermost last. `f` must not run or drop foreign code.
    fn as_list<R>(&self, f: impl FnOnce(&mut Vec<Scope>) -> R) -> R {
        let scopes = &mut *self.below.borrow_mut();
        scopes.extend(self.top.take());
        let result = f(scopes);
        self.top.set(scopes.pop());
        self.covered.set(scopes.len());
        result
    }
}

/// Returns the position of a scope; `None` if it was removed together with a scope further out.
fn position(scopes: &[Scope], number: u64) -> Option<usize> {
    scopes.iter().rposition(|scope| scope.number == number)
}

thread_local! {
    static STACK: Stack = const {
        Stack {
            top: Cell::new(None),
            below: RefCell::new(Vec::new()),
            covered: Cell::new(0),
            entered: Cell::new(0),
            left_behind: RefCell::new(Vec::new()),
        }
    };
}

/// Calls `f` with the stack of this thread; returns `None` if the thread is ending. `f` must not run or drop foreign code.
fn with_stack<R>(f: impl FnOnce(&Stack) -> R) -> Option<R> {
    STACK.try_with(f).ok()
}

/// Returns a handle to the current span; the empty handle if there is none, or if the thread is ending.
pub(crate) fn current() -> Span {
    let current = with_stack(|stack| {
        let top = stack.top.take();
        let current = top.as_ref().map(|top| top.span.clone());
        stack.top.set(top);
        current
    });
    current.flatten().unwrap_or_default()
}

/// Returns `true` if this thread is in no scope, not even that of an empty handle.
pub(crate) fn is_outside_of_scopes() -> bool {
    with_stack(Stack::is_empty) == Some(true)
}

/// Returns the span of the innermost request in whose scope this thread is and for whose mark `is_it` returns `true`.
pub(crate) fn request(is_it: impl Fn(Mark) -> bool) -> Option<Span> {
    if with_stack(Stack::is_empty) != Some(false) {
        return None;
    }
    let nth = |nth: usize| {
        with_scopes(|scopes| {
            let mut requests = scopes
                .iter()
                .rev()
                .filter(|scope| scope.kind == Kind::Request);
            requests.nth(nth).map(|scope| scope.span.clone())
        })
    };
    // Called while nothing is borrowed, because it is foreign code.
    let mut requests = (0..).map_while(nth);
    requests.find(|span| span.mark().is_some_and(&is_it))
}

/// Returns the current span, if a request that begins now is a child of it.
///
/// It is if a poll is among the scopes of this thread. A guard alone does not count: if it is held across an `await`, other tasks
/// run on the thread while it is there. A call alone does not count either: it can be around a whole server.
pub(crate) fn parent() -> Option<Span> {
    with_scopes(|scopes| {
        let is_poll = |scope: &Scope| matches!(scope.kind, Kind::Poll | Kind::Request);
        let is_within_a_poll = scopes.iter().any(is_poll);
        let current = scopes.last().filter(|_| is_within_a_poll)?;
        (!current.span.is_none()).then(|| current.span.clone())
    })
}

fn with_scopes<R>(look: impl FnOnce(&[Scope]) -> Option<R>) -> Option<R> {
    with_stack(|stack| stack.as_list(|scopes| look(scopes))).flatten()
}

/// Enters a scope and returns its number. On a thread that is ending this does nothing.
pub(crate) fn enter(span: Span, kind: Kind) -> u64 {
    let is_hooked = span.is_hooked();
    let number = with_stack(|stack| stack.enter(span, kind, false));
    if is_hooked {
        call_enter_hooks();
    }
    number.unwrap_or_default()
}

/// Calls the hooks for the scope that was entered last.
#[cold]
fn call_enter_hooks() {
    let span = current();
    span.call_hooks(|hook| hook.enter(&span));
}

/// Leaves a scope and every scope within it that was not left: guards that were forgotten, or that outlive their poll.
pub(crate) fn leave(number: u64) {
    drop(take_out(number));
}

/// Leaves a scope as [`leave`] does. Returns the scope's handle; `None` if it was removed together with a scope further out.
fn take_out(number: u64) -> Option<Span> {
    let scope = match with_stack(|stack| stack.pop(number)) {
        Some(Some(scope)) => scope,
        Some(None) => leave_all_within(number)?,
        None => return None,
    };
    Some(scope.span)
}

#[cold]
fn leave_all_within(number: u64) -> Option<Scope> {
    // Hooks are foreign code. Scopes that they enter and do not leave have greater numbers. These end with the scope, without
    // calls of hooks.
    let mut last = u64::MAX;
    loop {
        let (next, hooked) = with_scopes(|scopes| {
            position(scopes, number)?;
            let mut inner = scopes.iter().rev();
            let next = inner.find(|scope| scope.number < last)?;
            let hooked = next.span.is_hooked().then(|| next.span.clone());
            Some((next.number, hooked))
        })?;
        if let Some(span) = hooked {
            span.call_hooks(|hook| hook.exit(&span));
        }
        if next == number {
            break;
        }
        drop(remove(next).and_then(keep_if_lent));
        last = next;
    }
    loop {
        // One at a time, so that each is dropped while the stack is not borrowed.
        let top = with_stack(|stack| {
            stack.as_list(|scopes| {
                position(scopes, number)?;
                scopes.pop()
            })
        });
        let top = top.flatten()?;
        if top.number == number {
            return Some(top);
        }
        drop(keep_if_lent(top));
    }
}

/// Stores the scope's handle for its owner, if it was lent; otherwise returns the scope.
fn keep_if_lent(scope: Scope) -> Option<Scope> {
    let mut scope = Some(scope);
    with_stack(|stack| {
        let lent = scope.take_if(|scope| scope.is_lent);
        stack.left_behind.borrow_mut().extend(lent);
    });
    scope
}

/// Removes one scope from its position, and no other.
fn remove(number: u64) -> Option<Scope> {
    let removed = with_stack(|stack| {
        stack.as_list(|scopes| {
            let at = position(scopes, number)?;
            Some(scopes.remove(at))
        })
    });
    removed.flatten()
}

/// Leaves the scope of a guard. Scopes within it stay.
fn leave_guard(number: u64, owner: &Span) {
    if owner.is_hooked() {
        let is_there = with_scopes(|scopes| position(scopes, number)).is_some();
        if is_there {
            owner.call_hooks(|hook| hook.exit(owner));
        }
    }
    // Dropped when the stack is not borrowed.
    let innermost = with_stack(|stack| stack.pop(number)).flatten();
    drop(innermost.or_else(|| remove(number)));
}

/// Leaves the scope of a guard as [`leave_guard`] does, and returns its handle; `None` if it is not there any more.
pub(super) fn take_guard(number: u64) -> Option<Span> {
    if let Some(scope) = with_stack(|stack| stack.pop(number)).flatten() {
        return Some(scope.span);
    }
    let span = with_scopes(|scopes| Some(scopes[position(scopes, number)?].span.clone()))?;
    leave_guard(number, &span);
    Some(span)
}

/// Returns `true` if this thread is in the scope with this number.
pub(super) fn is_entered(number: u64) -> bool {
    is_innermost(number) || with_scopes(|scopes| position(scopes, number)).is_some()
}

/// Returns `true` if the scope with this number is the innermost one of this thread.
pub(super) fn is_innermost(number: u64) -> bool {
    let is_innermost = with_stack(|stack| {
        let top = stack.top.take();
        let is_innermost = top.as_ref().is_some_and(|top| top.number == number);
        stack.top.set(top);
        is_innermost
    });
    is_innermost == Some(true)
}

/// Runs `f` with `span` current. Afterwards, also if `f` panics, the span that was current before is current again.
pub(crate) fn in_scope<R>(span: &Span, kind: Kind, f: impl FnOnce() -> R) -> R {
    struct Leave(u64);
    impl Drop for Leave {
        fn drop(&mut self) {
            leave(self.0);
        }
    }
    let _leave = Leave(enter(span.clone(), kind));
    f()
}

/// Runs `f` with the span in `slot` current. Afterwards the span that was current before is current again. If `f` panics,
/// `on_panic` is called after that.
///
/// The handle itself is moved onto the stack and back, which is several times cheaper than a clone.
pub(crate) fn lend<R>(
    slot: &mut Span,
    kind: Kind,
    f: impl FnOnce() -> R,
    on_panic: fn(&Span),
) -> R {
    /// Dropped only by a panic.
    struct OnPanic<'a> {
        slot: &'a mut Span,
        number: u64,
        on_panic: fn(&Span),
    }
    impl Drop for OnPanic<'_> {
        fn drop(&mut self) {
            take_back(self.slot, self.number);
            (self.on_panic)(self.slot);
        }
    }
    let is_hooked = slot.is_hooked();
    let number = with_stack(|stack| stack.enter(mem::take(slot), kind, true)).unwrap_or_default();
    let lent = OnPanic {
        slot,
        number,
        on_panic,
    };
    if is_hooked {
        call_enter_hooks();
    }
    let result = f();
    if with_stack(|stack| stack.take_back(lent.slot, number)) != Some(true) {
        take_back(lent.slot, number);
    }
    mem::forget(lent);
    result
}

/// Leaves the scope with this number, at whatever position it is, and puts its handle back into `slot`.
#[cold]
fn take_back(slot: &mut Span, number: u64) {
    let lent = take_out(number).or_else(|| {
        with_stack(|stack| {
            let mut left = stack.left_behind.borrow_mut();
            let at = left.iter().position(|scope| scope.number == number)?;
            Some(left.swap_remove(at).span)
        })
        .flatten()
    });
    if let Some(lent) = lent {
        *slot = lent;
    }
}

/// A guard that keeps a span current on its thread until it is dropped. [`Span::enter`], [`Span::entered`] and
/// [`OwnedSpan::entered`](crate::OwnedSpan::entered) return it. It is not [`Send`], because a scope belongs to its thread.
#[must_use = "the span is current only while this guard lives"]
pub struct Entered<S: Borrow<Span>> {
    number: u64,
    span: S,
    // A scope belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl<S: Borrow<Span>> Entered<S> {
    pub(crate) fn new(span: S) -> Self {
        Self {
            number: enter(span.borrow().clone(), Kind::Guard),
            span,
            not_send: PhantomData,
        }
    }
}

impl<S: Borrow<Span>> Deref for Entered<S> {
    type Target = Span;

    fn deref(&self) -> &Span {
        self.span.borrow()
    }
}

impl<S: Borrow<Span>> Drop for Entered<S> {
    fn drop(&mut self) {
        // An owned span ends after this, when it is not current any more.
        leave_guard(self.number, self.span.borrow());
    }
}

impl<S: Borrow<Span>> fmt::Debug for Entered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entered").field(self.span.borrow()).finish()
    }
}

/// The two types by which a [`Scoped`] future holds its span: [`Span`] and [`OwnedSpan`](crate::OwnedSpan). See [`Scoped`] for an
/// example.
pub trait Held {
    /// `true` if the span ends with the future.
    const ENDS: bool;

    /// Returns the handle, to be lent to the stack. See [`Scoped`] for an example.
    fn handle(&mut self) -> &mut Span;

    /// Ends the span, if [`ENDS`](Self::ENDS) is `true`. See [`Scoped`] for an example.
    fn end(&self);
}

impl Held for Span {
    const ENDS: bool = false;

    fn handle(&mut self) -> &mut Span {
        self
    }

    fn end(&self) {}
}

pin_project! {
    /// A future that has a span current whenever it is polled, and while it is dropped. [`Span::scope`] returns it. The one that
    /// [`OwnedSpan::scope`](crate::OwnedSpan::scope) returns also ends its span.
    ///
    /// ```
    /// use opentracing_http::scope::Scoped;
    /// use opentracing_http::{OwnedSpan, Span};
    ///
    /// struct Job<F> {
    ///     work: Scoped<F>,
    ///     last_step: Scoped<F, OwnedSpan>,
    /// }
    ///
    /// fn job<F: Future>(work: F, last_step: F) -> Job<F> {
    ///     let span = Span::current();
    ///     Job {
    ///         work: span.scope(work),
    ///         last_step: span.child("last step").scope(last_step),
    ///     }
    /// }
    /// # let _ = job(std::future::ready(()), std::future::ready(()));
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct Scoped<F, S: Held = Span> {
        // Dropped within the scope, so an `Option` that is emptied there.
        #[pin]
        future: Option<F>,
        // Dropped after the future, also when that panics.
        span: S,
    }

    impl<F, S: Held> PinnedDrop for Scoped<F, S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                lend(this.span.handle(), Kind::Poll, || this.future.set(None), |_| {});
            }
        }
    }
}

impl<F, S: Held> Scoped<F, S> {
    pub(crate) fn new(span: S, future: F) -> Self {
        Self {
            future: Some(future),
            span,
        }
    }
}

impl<F: Future, S: Held> Future for Scoped<F, S> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if this.future.is_none() {
            // The future has completed, or is being dropped.
            return Poll::Pending;
        }
        let polled = lend(
            this.span.handle(),
            Kind::Poll,
            || {
                let future = this.future.as_mut().as_pin_mut();
                let polled = future.map_or(Poll::Pending, |future| future.poll(cx));
                if S::ENDS && polled.is_ready() {
                    // Values that the future still holds are dropped before the span ends.
                    this.future.set(None);
                }
                polled
            },
            |_| {},
        );
        if polled.is_ready() {
            this.span.end();
        }
        polled
    }
}
