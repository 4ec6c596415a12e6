//! The current span against a model: random programs of scopes, guards, polls and requests, on several threads.
//!
//! The model is a list. A guard that is dropped removes its own entry, at any position. The end of a call, a poll or a request's
//! part removes its own entry and all that were entered after it.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use http::Request;
use opentracing_http::scope::{Entered, ScopeHook};
use opentracing_http::server::{Instrumentation, RequestSpan};
use opentracing_http::{
    FinishedSpan, HttpTracing, NoopTracer, Span, SpanContext, SpanId, TraceFlags, TraceId, Tracer,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// How many steps all threads do together.
const STEPS: usize = 1_000_000;

/// The number of steps of one program: short programs find more kinds of errors.
const PROGRAM: usize = 400;

const THREADS: usize = 4;

/// How deep calls are nested.
const DEEPEST: usize = 6;

/// One thread's program.
struct Program<'s> {
    spans: &'s [Span],
    random: RefCell<SmallRng>,
    steps_left: RefCell<usize>,
    model: RefCell<Model>,
    guards: RefCell<Vec<(usize, Entered<&'s Span>)>>,
    /// Futures that have been polled and are not done.
    futures: RefCell<Vec<Task<'s>>>,
    requests: RefCell<Vec<RequestSpan>>,
    tracing: &'s HttpTracing,
    /// The data that futures need to continue this program.
    own: RefCell<std::rc::Weak<Self>>,
}

struct Task<'s> {
    span: Option<SpanId>,
    future: Pin<Box<dyn Future<Output = ()> + 's>>,
}

/// The entries, the innermost last: each with its number and the span that is current in it.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<(usize, Option<SpanId>)>,
    entered: usize,
}

impl Model {
    fn enter(&mut self, span: Option<SpanId>) -> usize {
        self.entered += 1;
        self.entries.push((self.entered, span));
        self.entered
    }

    /// The end of a call, which removes all entries within it.
    fn leave(&mut self, number: usize) {
        self.entries.retain(|(entry, _)| *entry < number);
    }

    /// The end of a guard.
    fn remove(&mut self, number: usize) {
        self.entries.retain(|(entry, _)| *entry != number);
    }

    fn current(&self) -> Option<SpanId> {
        self.entries.last().and_then(|(_, span)| *span)
    }
}

fn id(span: &Span) -> Option<SpanId> {
    Some(span.context()?.span_id())
}

impl<'s> Program<'s> {
    fn new(spans: &'s [Span], tracing: &'s HttpTracing, seed: u64) -> Rc<Self> {
        let program = Rc::new(Self {
            spans,
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            steps_left: RefCell::new(PROGRAM),
            model: RefCell::default(),
            guards: RefCell::default(),
            futures: RefCell::default(),
            requests: RefCell::default(),
            tracing,
            own: RefCell::default(),
        });
        *program.own.borrow_mut() = Rc::downgrade(&program);
        program
    }

    fn below(&self, bound: usize) -> usize {
        self.random.borrow_mut().random_range(0..bound)
    }

    fn any_span(&self) -> &'s Span {
        &self.spans[self.below(self.spans.len())]
    }

    fn check(&self) {
        let (found, expected) = (id(&Span::current()), self.model.borrow().current());
        assert_eq!(found, expected, "{:?}", self.model.borrow());
    }

    /// Removes a random one, if there is any.
    fn take<T>(&self, from: &RefCell<Vec<T>>) -> Option<T> {
        let count = from.borrow().len();
        (count > 0).then(|| from.borrow_mut().swap_remove(self.below(count)))
    }

    /// Some steps, among them further calls as long as the depth allows it.
    fn run(&self, depth: usize) {
        for _ in 0..=self.below(8) {
            if *self.steps_left.borrow() == 0 {
                return;
            }
            *self.steps_left.borrow_mut() -= 1;
            self.step(depth);
            self.check();
        }
    }

    fn step(&self, depth: usize) {
        let is_deepest = depth >= DEEPEST;
        match self.below(12) {
            0 | 1 => {
                let span = self.any_span();
                let number = self.model.borrow_mut().enter(id(span));
                let guard = span.enter();
                self.guards.borrow_mut().push((number, guard));
            }
            2 | 3 => {
                if let Some((number, guard)) = self.take(&self.guards) {
                    drop(guard);
                    self.model.borrow_mut().remove(number);
                }
            }
            4 => {
                // Its entry stays until a call further out ends.
                if let Some((_, guard)) = self.take(&self.guards) {
                    std::mem::forget(guard);
                }
            }
            5 | 6 if !is_deepest => {
                let span = self.any_span();
                let fails = self.below(4) == 0;
                self.within(id(span), |run| span.in_scope(run), depth, fails);
            }
            7 if !is_deepest => self.start_future(depth),
            8 if !is_deepest => self.poll_future(),
            9 => {
                // Dropped in its scope, with the guards that it holds.
                if let Some(task) = self.take(&self.futures) {
                    drop(task);
                }
            }
            10 => {
                let request = Request::get("/").body(()).unwrap();
                let span = Instrumentation::new(self.tracing, "model").begin(&request);
                self.requests.borrow_mut().push(span);
            }
            11 if !is_deepest => {
                if let Some(mut request) = self.take(&self.requests) {
                    let (span, fails) = (id(request.span()), self.below(4) == 0);
                    self.within(span, |run| request.scope(run), depth, fails);
                    if self.below(2) == 0 {
                        self.requests.borrow_mut().push(request);
                    }
                }
            }
            _ => {}
        }
    }

    /// Runs a part of the program in a scope that `enter` makes, which may end with a panic.
    fn within(
        &self,
        span: Option<SpanId>,
        enter: impl FnOnce(&mut dyn FnMut()),
        depth: usize,
        fails: bool,
    ) {
        let number = self.model.borrow_mut().enter(span);
        let run = &mut || {
            self.check();
            self.run(depth + 1);
            if fails {
                resume_unwind(Box::new(()));
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(|| enter(run)));
        self.model.borrow_mut().leave(number);
        match ended {
            Err(panic) if !fails || !panic.is::<()>() => resume_unwind(panic),
            _ => {}
        }
    }

    /// Makes a future that is polled several times, here and wherever the program has come to by then.
    fn start_future(&self, depth: usize) {
        let span = self.any_span();
        let program = self.own.borrow().clone();
        let mut polls = self.below(3);
        let future = span.scope(poll_fn(move |_| {
            if let Some(program) = program.upgrade() {
                program.check();
                program.run(depth + 1);
            }
            polls = polls.saturating_sub(1);
            match polls {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }));
        self.futures.borrow_mut().push(Task {
            span: id(span),
            future: Box::pin(future),
        });
        self.poll_future();
    }

    fn poll_future(&self) {
        let Some(mut task) = self.take(&self.futures) else {
            return;
        };
        let number = self.model.borrow_mut().enter(task.span);
        let mut context = Context::from_waker(Waker::noop());
        let polled = task.future.as_mut().poll(&mut context);
        self.model.borrow_mut().leave(number);
        if polled.is_pending() {
            self.futures.borrow_mut().push(task);
        }
    }
}

/// Records every span, and keeps none.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

/// Counts how often each span is entered and left.
#[derive(Debug, Default)]
struct Balance(Mutex<HashMap<(thread::ThreadId, SpanId), i64>>);

impl Balance {
    fn add(&self, span: &Span, by: i64) {
        if let Some(span) = id(span) {
            let key = (thread::current().id(), span);
            *self.0.lock().unwrap().entry(key).or_default() += by;
        }
    }
}

impl ScopeHook for Balance {
    fn enter(&self, span: &Span) {
        self.add(span, 1);
    }

    fn exit(&self, span: &Span) {
        self.add(span, -1);
    }
}

/// Spans of every kind: recorded, not recorded with ids of their own, a caller's passed through, and none.
fn spans(recorded: &HttpTracing, passed_through: &HttpTracing) -> Vec<Span> {
    let recording = (0..3).map(|_| recorded.span("recorded").root().start());
    let dropped = (0..2).map(|_| {
        let span = recorded.span("dropped").root();
        span.tag("sampling.priority", 0).start()
    });
    let through = (1..3).map(|number| {
        let ids = (TraceId::new(1), SpanId::new(number));
        let context = SpanContext::new(ids.0.unwrap(), ids.1.unwrap(), TraceFlags::SAMPLED);
        passed_through.span("passed").child_of(context).start()
    });
    let all = recording.chain(dropped).chain(through);
    let mut spans: Vec<Span> = all.map(|span| (*span).clone()).collect();
    spans.push(Span::none());
    spans
}

/// Runs programs until their steps are used up. Each begins and ends with nothing current.
fn run_programs(spans: &[Span], tracing: &HttpTracing, seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let program = Program::new(spans, tracing, seed);
            assert!(Span::current().is_none());
            // Guards that the program forgets end with this scope.
            let number = program.model.borrow_mut().enter(id(&spans[0]));
            spans[0].in_scope(|| {
                while *program.steps_left.borrow() > 0 {
                    program.run(0);
                }
            });
            program.model.borrow_mut().leave(number);
            program.check();
            assert!(Span::current().is_none());
            // Guards that outlive their scope remove no other entry.
            program.guards.borrow_mut().clear();
            program.futures.borrow_mut().clear();
            assert!(Span::current().is_none());
        }));
        if let Err(panic) = ended {
            eprintln!("the program's seed is {seed}");
            resume_unwind(panic);
        }
    }
}

fn run(hook: Option<Arc<Balance>>, first_seed: u64, programs: usize) {
    let mut builder = HttpTracing::builder(Discard);
    if let Some(hook) = &hook {
        builder = builder.scope_hook(SharedHook(hook.clone()));
    }
    let recorded = builder.build().unwrap();
    let passed_through = HttpTracing::new(NoopTracer);
    let spans = spans(&recorded, &passed_through);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (spans, recorded) = (&spans, &recorded);
            scope.spawn(move || {
                let seeds = first_seed + (thread * programs) as u64..;
                run_programs(spans, recorded, seeds.take(programs));
            });
        }
    });
    if let Some(hook) = hook {
        let balance = hook.0.lock().unwrap();
        let odd: Vec<_> = balance.iter().filter(|(_, count)| **count != 0).collect();
        assert!(!balance.is_empty() && odd.is_empty(), "{odd:?}");
    }
}

#[derive(Debug)]
struct SharedHook(Arc<Balance>);

impl ScopeHook for SharedHook {
    fn enter(&self, span: &Span) {
        self.0.enter(span);
    }

    fn exit(&self, span: &Span) {
        self.0.exit(span);
    }
}

#[test]
fn random_programs_have_the_current_span_of_the_model() {
    run(None, 0, STEPS / PROGRAM / THREADS * 3 / 4);
}

#[test]
fn random_programs_with_a_hook_are_followed_in_balance() {
    run(
        Some(Arc::default()),
        1_000_000,
        STEPS / PROGRAM / THREADS / 4,
    );
}
