//! Time on the request's thread, without sockets.

use std::time::{Duration, Instant};

use super::{Plan, progress};
use crate::apps::{Mounted, Worker};
use crate::policy::flush;
use crate::results::{Measure, Results};

/// Long against the clock's resolution, short against changes of the machine's speed.
const BATCH: Duration = Duration::from_millis(4);

/// Lets the cases of each target take turns, and adds a sample of each turn.
pub(crate) fn measure(plan: &Plan, results: &mut Results) {
    let rounds = if plan.few_samples { 7 } else { 31 };
    for (target, cases) in plan.cases(Measure::Time, |_, _| true) {
        progress(Measure::Time, target);
        let mounted: Vec<Mounted> = cases
            .iter()
            .map(|&case| target.mount(case, &plan.addresses))
            .collect();
        let mut workers: Vec<_> = mounted
            .iter()
            .map(|mounted| {
                let mut worker = mounted.app.worker();
                let batch = batch_size(&mut *worker);
                flush(mounted.tracing.as_ref());
                (worker, batch)
            })
            .collect();
        for _ in 0..rounds {
            let turns = cases.iter().zip(&mounted).zip(&mut workers);
            for ((case, mounted), (worker, batch)) in turns {
                let start = Instant::now();
                let time = worker.timed(*batch, || start.elapsed());
                let nanoseconds = time.as_nanos() as f64 / f64::from(*batch);
                // Behind the turn: the tracer's thread is to work in no other case's time.
                flush(mounted.tracing.as_ref());
                results.add(Measure::Time, target.name(), case.name, nanoseconds);
            }
        }
    }
}

/// Returns how many requests fill a batch. Warms the application up.
pub(super) fn batch_size(worker: &mut dyn Worker) -> u32 {
    let mut batch = 16;
    loop {
        let start = Instant::now();
        worker.call(batch);
        if start.elapsed() >= BATCH || batch >= 1 << 20 {
            return batch;
        }
        batch *= 2;
    }
}
