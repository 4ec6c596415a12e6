//! Allocations on the request's thread, and bytes that a request in flight holds.
//!
//! Measured in a program of its own, which alone has a counting allocator.

use std::any::Any;
use std::env;
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;

use super::{Plan, progress};
use crate::Problem;
use crate::apps::{Target, Worker};
use crate::case::Case;
use crate::filter::Filter;
use crate::policy::flush;
use crate::receivers::Addresses;
use crate::results::{Machine, Measure, Results};

/// What a counting allocator has seen of one call, on the thread of that call.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Number of allocations, reallocations included.
    pub allocations: u64,
    /// Number of bytes that were allocated and not freed.
    pub live_bytes: i64,
}

/// Calls a function and returns what it allocated.
type Count = fn(&mut dyn FnMut()) -> Counted;

/// Requests before counting starts: they fill thread-locals, lazy statics, the frameworks' pools and ours. More than are
/// counted, because the memory of some spans stays with the reporter's thread.
const WARM_UP: u32 = 2 * COUNTED;

/// Requests that are counted. Few allocations are made once in many requests; these are counted in part.
const COUNTED: u32 = 200;

/// Requests that are in flight at once.
const IN_FLIGHT: usize = 64;

/// Options of the program that counts.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    filter: Vec<String>,
    #[arg(long)]
    measure: Vec<String>,
    #[arg(long)]
    main_cases: bool,
    #[command(flatten)]
    addresses: Addresses,
}

/// Runs the program that counts: prints the results as JSON. `cargo xtask bench` starts it.
pub fn count(measure: Count) -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan {
        filter: Filter(arguments.filter),
        few_samples: false,
        main_cases: arguments.main_cases,
        addresses: arguments.addresses,
    };
    let is_wanted = |measure: Measure| arguments.measure.iter().any(|name| name == measure.name());
    let mut results = Results::new(Machine::this(), false);
    if is_wanted(Measure::Allocations) {
        for (target, cases) in plan.cases(Measure::Allocations, |_, _| true) {
            progress(Measure::Allocations, target);
            for case in cases {
                let sample = allocations(target, case, &plan, measure);
                results.add(Measure::Allocations, target.name(), case.name, sample);
            }
        }
    }
    if is_wanted(Measure::Held) {
        let wanted = |target: Target, case: &Case| target.has_requests() && case.is_main();
        for (target, cases) in plan.cases(Measure::Held, wanted) {
            progress(Measure::Held, target);
            for case in cases {
                let sample = held(target, case, &plan, measure);
                results.add(Measure::Held, target.name(), case.name, sample);
            }
        }
    }
    match serde_json::to_writer(std::io::stdout(), &results) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn allocations(target: Target, case: Case, plan: &Plan, measure: Count) -> f64 {
    let mounted = target.mount(case, &plan.addresses);
    let mut worker = mounted.app.worker();
    worker.call(WARM_UP);
    flush(mounted.tracing.as_ref());
    let mut allocations = 0;
    for _ in 0..COUNTED {
        worker.prepare(1);
        allocations += measure(&mut || worker.run()).allocations;
    }
    flush(mounted.tracing.as_ref());
    allocations as f64 / f64::from(COUNTED)
}

fn held(target: Target, case: Case, plan: &Plan, measure: Count) -> f64 {
    let mounted = target.mount(case, &plan.addresses);
    let mut worker = mounted.app.worker();
    worker.call(WARM_UP);
    // Those of the first time fill pools, and are given back to them.
    drop(worker.park(IN_FLIGHT));
    let mut parked: Option<Box<dyn Any>> = None;
    let counted = measure(&mut || parked = Some(park(&mut *worker)));
    drop(parked);
    flush(mounted.tracing.as_ref());
    counted.live_bytes as f64 / IN_FLIGHT as f64
}

fn park(worker: &mut dyn Worker) -> Box<dyn Any> {
    worker.park(IN_FLIGHT)
}

/// Starts the program that counts, and returns what it has counted.
pub(crate) fn measured(plan: &Plan, measures: &[Measure]) -> Result<Results, Problem> {
    let problem = |error: &dyn std::fmt::Display| Problem(format!("counting allocations: {error}"));
    let this = env::current_exe().map_err(|error| problem(&error))?;
    let program = this.with_file_name(format!("xtask-bench-counting{}", env::consts::EXE_SUFFIX));
    if !program.is_file() {
        return Err(problem(
            &"its program is not built; use `cargo xtask bench`",
        ));
    }
    let filters = plan.filter.0.iter().map(|text| format!("--filter={text}"));
    let measures = measures.iter().map(|m| format!("--measure={m}"));
    let output = Command::new(program)
        .args(filters)
        .args(measures)
        .args(plan.main_cases.then_some("--main-cases"))
        .args(plan.addresses.options())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| problem(&error))?;
    if !output.status.success() {
        return Err(problem(&output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| problem(&error))
}
