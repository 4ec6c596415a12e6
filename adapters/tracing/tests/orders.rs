//! Every order of creating, entering, leaving and closing, on two threads, against a model: a list for each thread.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;

use opentracing_http::{HttpTracing, InMemoryTracer, OwnedSpan, Span, SpanId};
use proptest::prelude::*;
use tracing::{Dispatch, info_span};
use tracing_subscriber::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Creates a span whose parent is the current one.
    Create,
    /// Enters a span; the number is counted round all spans that are open.
    Enter(usize),
    /// Leaves the entry of this number among those of the thread.
    Leave(usize),
    /// Drops the handle of a span that is nowhere entered.
    Close(usize),
    /// Starts a child with the core's interface and enters it.
    EnterOurs,
    /// Drops the guard of one of those.
    LeaveOurs(usize),
}

fn step() -> impl Strategy<Value = (bool, Step)> {
    let step = prop_oneof![
        3 => Just(Step::Create),
        4 => (0..8_usize).prop_map(Step::Enter),
        4 => (0..8_usize).prop_map(Step::Leave),
        1 => (0..8_usize).prop_map(Step::Close),
        1 => Just(Step::EnterOurs),
        1 => (0..4_usize).prop_map(Step::LeaveOurs),
    ];
    (any::<bool>(), step)
}

/// What a thread has entered.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Entered {
    Theirs(usize),
    Ours(SpanId),
}

type Guard = opentracing_http::scope::Entered<OwnedSpan>;

type Job = Box<dyn FnOnce(&mut Vec<Guard>) + Send>;

/// A thread that runs one job at a time.
struct Worker {
    jobs: mpsc::Sender<Job>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    fn start(subscriber: Dispatch, request: Option<Span>) -> Self {
        let (jobs, received) = mpsc::channel::<Job>();
        let thread = thread::spawn(move || {
            tracing::dispatcher::with_default(&subscriber, || {
                let _request = request.map(Span::entered);
                let mut guards = Vec::new();
                for job in received {
                    job(&mut guards);
                }
            });
        });
        Self { jobs, thread }
    }

    fn run<R: Send + 'static>(&self, f: impl FnOnce(&mut Vec<Guard>) -> R + Send + 'static) -> R {
        let (done, result) = mpsc::channel();
        let job = move |guards: &mut Vec<Guard>| done.send(f(guards)).unwrap();
        self.jobs.send(Box::new(job)).unwrap();
        result.recv().unwrap()
    }
}

/// A span of `tracing` in the model.
struct Modelled {
    handle: Option<tracing::Span>,
    /// The id of the core's span; `None` if nothing is recorded for it.
    id: Option<SpanId>,
    parent: Option<SpanId>,
}

fn id() -> Option<SpanId> {
    Some(Span::current().context()?.span_id())
}

fn check(steps: &[(bool, Step)]) {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let subscriber =
        Dispatch::new(tracing_subscriber::registry().with(opentracing_tracing::layer()));
    let request = tracing.span("request").start();
    let request_id = request.context().unwrap().span_id();
    // The second thread is in no request.
    let workers = [
        Worker::start(subscriber.clone(), Some((*request).clone())),
        Worker::start(subscriber.clone(), None),
    ];
    let base = [Some(request_id), None];
    let mut spans: Vec<Modelled> = Vec::new();
    let mut entered: [Vec<Entered>; 2] = Default::default();
    let mut ours = HashMap::new();
    let current = |spans: &[Modelled], entered: &[Vec<Entered>; 2], thread: usize| {
        let mut all = entered[thread].iter().rev();
        let found = all.find_map(|entered| match entered {
            Entered::Theirs(at) => spans[*at].id,
            Entered::Ours(id) => Some(*id),
        });
        found.or(base[thread])
    };
    for (second, step) in steps {
        let thread = usize::from(*second);
        let worker = &workers[thread];
        match *step {
            Step::Create => {
                let parent = current(&spans, &entered, thread);
                let name = spans.len() as u64;
                let (handle, id) = worker.run(move |_| {
                    let handle = info_span!("theirs", name);
                    let id = handle.in_scope(id);
                    (handle, id)
                });
                assert_eq!(id.is_some(), parent.is_some());
                spans.push(Modelled {
                    handle: Some(handle),
                    id,
                    parent,
                });
            }
            Step::Enter(at) if !spans.is_empty() => {
                let at = at % spans.len();
                if let Some(handle) = spans[at].handle.clone() {
                    worker.run(move |_| {
                        handle.with_subscriber(|(id, subscriber)| subscriber.enter(id));
                    });
                    entered[thread].push(Entered::Theirs(at));
                }
            }
            Step::Leave(at) if !entered[thread].is_empty() => {
                let at = at % entered[thread].len();
                if let Entered::Theirs(span) = entered[thread][at] {
                    let handle = spans[span].handle.clone().unwrap();
                    worker.run(move |_| {
                        handle.with_subscriber(|(id, subscriber)| subscriber.exit(id));
                    });
                    // Of several entries of one span, the last one is left.
                    let last = Entered::Theirs(span);
                    let last = entered[thread].iter().rposition(|other| *other == last);
                    entered[thread].remove(last.unwrap());
                }
            }
            Step::Close(at) if !spans.is_empty() => {
                let at = at % spans.len();
                let is_entered = entered
                    .iter()
                    .any(|entered| entered.contains(&Entered::Theirs(at)));
                if !is_entered {
                    let handle = spans[at].handle.take();
                    worker.run(move |_| drop(handle));
                }
            }
            Step::EnterOurs => {
                let parent = current(&spans, &entered, thread);
                if parent.is_some() {
                    let id = worker.run(|guards| {
                        let guard = Span::current().child("ours").entered();
                        let id = guard.context().unwrap().span_id();
                        guards.push(guard);
                        id
                    });
                    ours.insert(id, parent);
                    entered[thread].push(Entered::Ours(id));
                }
            }
            Step::LeaveOurs(at) => {
                let left = worker.run(move |guards| {
                    let at = at.checked_rem(guards.len())?;
                    let guard = guards.remove(at);
                    Some(guard.context().unwrap().span_id())
                });
                if let Some(left) = left {
                    entered[thread].retain(|entered| *entered != Entered::Ours(left));
                }
            }
            Step::Enter(_) | Step::Leave(_) | Step::Close(_) => {}
        }
        for (thread, worker) in workers.iter().enumerate() {
            let expected = current(&spans, &entered, thread);
            assert_eq!(
                worker.run(|_| id()),
                expected,
                "thread {thread} after {step:?}"
            );
        }
    }
    // Leaves and closes what is left, in the order of entering.
    for (worker, entered) in workers.iter().zip(entered) {
        for entered in entered {
            if let Entered::Theirs(at) = entered {
                let handle = spans[at].handle.clone().unwrap();
                worker.run(move |_| {
                    handle.with_subscriber(|(id, subscriber)| subscriber.exit(id));
                });
            }
        }
        worker.run(Vec::clear);
    }
    assert_eq!(workers[0].run(|_| id()), Some(request_id));
    assert_eq!(workers[1].run(|_| id()), None);
    let expected: HashMap<_, _> = spans
        .iter()
        .filter_map(|span| Some((span.id?, span.parent)))
        .chain(ours)
        .chain([(request_id, None)])
        .collect();
    tracing::dispatcher::with_default(&subscriber, || drop(spans));
    request.finish();
    for Worker { jobs, thread } in workers {
        drop(jobs);
        thread.join().unwrap();
    }
    tracer.assert_nothing_unfinished();
    let finished = tracer.finished();
    assert_eq!(finished.len(), expected.len(), "each is reported once");
    for span in finished {
        assert_eq!(expected[&span.context().span_id()], span.parent_id());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_order_is_as_in_the_model(steps in prop::collection::vec(step(), 1..40)) {
        check(&steps);
    }
}

/// All sequences of five steps on two spans of one thread, with scopes of the core's own between them.
#[test]
fn every_short_order_is_as_in_the_model() {
    let steps = [
        Step::Enter(0),
        Step::Enter(1),
        Step::Leave(0),
        Step::Leave(1),
        Step::EnterOurs,
        Step::LeaveOurs(0),
    ];
    let start = [(false, Step::Create), (false, Step::Create)];
    // The first one enters a span: the others do nothing before that, or are the same for the other span.
    for number in 0..6_usize.pow(4) {
        let mut rest = number;
        let mut sequence = start.to_vec();
        sequence.push((false, Step::Enter(0)));
        for _ in 0..4 {
            sequence.push((false, steps[rest % 6]));
            rest /= 6;
        }
        check(&sequence);
    }
}
