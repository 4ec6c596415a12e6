//! One thread compared with two: data that threads share makes each of them slower.

use std::sync::Barrier;
use std::thread;

use super::{Plan, progress};
use crate::apps::Mounted;
use crate::case::Case;
use crate::clocks::thread_time;
use crate::machine::cores;
use crate::policy::flush;
use crate::results::{Measure, Results};

/// Requests of one thread in one round.
const REQUESTS: u32 = 10_000;

/// Measures the processor time of a request on one thread and on two, in turn.
pub(crate) fn measure(plan: &Plan, results: &mut Results) {
    if cores() < 2 {
        let note = "one thread against two: not measured: the machine has one core";
        return results.notes.push(note.to_owned());
    }
    if thread_time().is_none() {
        let note = "one thread against two: not measured: the system does not tell a thread's processor time";
        return results.notes.push(note.to_owned());
    }
    let rounds = if plan.few_samples { 3 } else { 15 };
    for (target, cases) in plan.cases(Measure::OneThread, |_, case: &Case| case.is_main()) {
        progress(Measure::OneThread, target);
        let mounted: Vec<_> = cases
            .iter()
            .map(|&case| target.mount(case, &plan.addresses))
            .collect();
        for _ in 0..rounds {
            for (case, mounted) in cases.iter().zip(&mounted) {
                for (measure, threads) in [(Measure::OneThread, 1), (Measure::TwoThreads, 2)] {
                    let sample = round(mounted, threads);
                    flush(mounted.tracing.as_ref());
                    results.add(measure, target.name(), case.name, sample);
                }
            }
        }
    }
}

/// Returns the processor time of one request, in nanoseconds, when so many threads call the application.
fn round(mounted: &Mounted, threads: u32) -> f64 {
    let barrier = Barrier::new(threads as usize);
    let call = || {
        let mut worker = mounted.app.worker();
        worker.call(REQUESTS / 10);
        barrier.wait();
        let time = worker.timed(REQUESTS, || thread_time().unwrap_or_default());
        barrier.wait();
        time.as_nanos() as f64
    };
    let total: f64 = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(call)).collect();
        let times = running.into_iter().map(|thread| thread.join());
        times.map(|time| time.unwrap_or(f64::NAN)).sum()
    });
    total / f64::from(threads * REQUESTS)
}
