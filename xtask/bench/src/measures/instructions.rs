//! Instructions on the request's thread, and on the tracer's.
//!
//! This program runs itself under callgrind and parses the files that callgrind writes. Crates for this (gungraun,
//! formerly iai-callgrind) need a second program of exactly their version, installed by hand; others are no longer
//! maintained, or count with inline assembly on one architecture. Thirty lines of options and a parser of four lines
//! are simpler.
//!
//! Without valgrind, the processor's counters are used, if the system lets this process read them.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::callgrind::{self, Dump};
use super::{Plan, counters, progress};
use crate::Problem;
use crate::apps::{Target, Worker};
use crate::case::Case;
use crate::machine::cores;
use crate::policy::flush;
use crate::receivers::Addresses;
use crate::results::{Measure, Results};

/// Requests before counting starts. As many as are counted, so that memory that a tracer holds for a while is there already.
const WARM_UP: u32 = COUNTED;

/// Requests that are counted.
const COUNTED: u32 = 300;

/// Options of the process that callgrind watches.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    target: String,
    #[arg(long)]
    case: String,
    #[command(flatten)]
    addresses: Addresses,
}

/// How instructions are counted on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counter {
    /// By callgrind, with the version of its valgrind.
    Callgrind(String),
    /// By the processor.
    Hardware,
}

impl Counter {
    /// Returns how instructions are counted here, or an error if they cannot be.
    pub(crate) fn find() -> Result<Self, Problem> {
        let valgrind = Command::new("valgrind").arg("--version").output();
        if let Ok(output) = valgrind
            && output.status.success()
        {
            let version = String::from_utf8_lossy(&output.stdout);
            return Ok(Self::Callgrind(version.trim().to_owned()));
        }
        match counters::instructions(|| ()) {
            Ok(_) => Ok(Self::Hardware),
            Err(Problem(problem)) => Err(Problem(format!(
                "instructions: not counted: no valgrind on the PATH, and no hardware counters ({problem})"
            ))),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Callgrind(version) => format!("callgrind of {version}"),
            Self::Hardware => "the processor's counters, user space only".to_owned(),
        }
    }
}

/// Counts every case's instructions, and adds a sample of each to the results.
pub(crate) fn measure(
    plan: &Plan,
    counter: &Counter,
    results: &mut Results,
) -> Result<(), Problem> {
    for (target, cases) in plan.cases(Measure::Instructions, |_, _| true) {
        progress(Measure::Instructions, target);
        let counts = match counter {
            Counter::Callgrind(_) => all_under_callgrind(target, &cases, plan),
            Counter::Hardware => cases
                .iter()
                .map(|&case| by_hardware(target, case, plan))
                .collect(),
        };
        for (case, counts) in cases.iter().zip(counts) {
            let Counts { own, background } = counts?;
            results.add(Measure::Instructions, target.name(), case.name, own);
            if let Some(background) = background {
                results.add(Measure::Background, target.name(), case.name, background);
            }
        }
    }
    Ok(())
}

/// Instructions of a request: on its own thread, and on others, where these are counted.
struct Counts {
    own: f64,
    background: Option<f64>,
}

/// Runs as many cases at once as there are cores: instructions are the same with company.
fn all_under_callgrind(
    target: Target,
    cases: &[Case],
    plan: &Plan,
) -> Vec<Result<Counts, Problem>> {
    let mut counts = Vec::with_capacity(cases.len());
    for some in cases.chunks(cores()) {
        let some = thread::scope(|scope| {
            let running = some
                .iter()
                .map(|&case| scope.spawn(move || under_callgrind(target, case, plan)));
            let running: Vec<_> = running.collect();
            let counts = running.into_iter().map(|thread| thread.join());
            let panicked = |_| Err(Problem("callgrind: a panic".to_owned()));
            counts
                .map(|counts| counts.unwrap_or_else(panicked))
                .collect::<Vec<_>>()
        });
        counts.extend(some);
    }
    counts
}

fn under_callgrind(target: Target, case: Case, plan: &Plan) -> Result<Counts, Problem> {
    let requests = callgrind_threads(target, case, plan, Count::Requests)?.0;
    let background = match case.is_background_counted() {
        true => Some(callgrind_threads(target, case, plan, Count::Everything)?.1),
        false => None,
    };
    Ok(Counts {
        own: requests as f64 / f64::from(COUNTED),
        background: background.map(|count| count as f64 / f64::from(WARM_UP + COUNTED)),
    })
}

/// What callgrind counts in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// The calls of the application, on the main thread.
    Requests,
    /// All that the process does, on every thread.
    Everything,
}

/// Runs a case under callgrind. Returns the instructions of the main thread and those of the others.
fn callgrind_threads(
    target: Target,
    case: Case,
    plan: &Plan,
    count: Count,
) -> Result<(u64, u64), Problem> {
    let problem = |error: &dyn std::fmt::Display| {
        Problem(format!(
            "callgrind: {} {}: {error}",
            target.name(),
            case.name
        ))
    };
    let name: String = format!("{} {} {count:?}", target.name(), case.name)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let folder = env::temp_dir().join(format!("xtask-bench-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| problem(&error))?;
    let this = env::current_exe().map_err(|error| problem(&error))?;
    let file = folder.join("dump");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .args((count == Count::Requests).then_some("--toggle-collect=*bench_counted_call*"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        // Makes glibc keep freed blocks in every case. Otherwise the figures depend on the layout of the memory, by
        // several hundred instructions, and two cases or revisions cannot be compared. Other systems ignore it.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127")
        .arg(this)
        .args(["instructions", "--target", target.name()])
        .args(["--case", case.name])
        .args(plan.addresses.options())
        .stdout(Stdio::null())
        .output()
        .map_err(|error| problem(&error))?;
    let dumps = match output.status.success() {
        true => read(&folder).map_err(|error| problem(&error)),
        false => Err(problem(&String::from_utf8_lossy(&output.stderr))),
    };
    let _ = fs::remove_dir_all(&folder);
    match callgrind::threads(&dumps?) {
        (0, _) => Err(problem(&"it counted nothing")),
        counts => Ok(counts),
    }
}

fn read(folder: &Path) -> std::io::Result<Vec<Dump>> {
    let mut dumps = Vec::new();
    for entry in fs::read_dir(folder)? {
        // Names of functions need not be UTF-8.
        let bytes = fs::read(entry?.path())?;
        dumps.extend(callgrind::parse(&String::from_utf8_lossy(&bytes)));
    }
    Ok(dumps)
}

/// Runs a case, under callgrind.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let target = Target::named(&arguments.target)
        .ok_or_else(|| Problem(format!("no target {}", arguments.target)))?;
    let case = target.case(&arguments.case)?;
    let mounted = target.mount(case, &arguments.addresses);
    let mut worker = mounted.app.worker();
    worker.call(WARM_UP);
    flush(mounted.tracing.as_ref());
    for _ in 0..COUNTED {
        worker.prepare(1);
        bench_counted_call(&mut *worker);
    }
    flush(mounted.tracing.as_ref());
    Ok(())
}

/// Callgrind counts what is executed within this function.
#[inline(never)]
fn bench_counted_call(worker: &mut dyn Worker) {
    worker.run();
    black_box(worker);
}

fn by_hardware(target: Target, case: Case, plan: &Plan) -> Result<Counts, Problem> {
    let mounted = target.mount(case, &plan.addresses);
    let mut worker = mounted.app.worker();
    worker.call(WARM_UP);
    flush(mounted.tracing.as_ref());
    let mut count = 0;
    for _ in 0..COUNTED {
        worker.prepare(1);
        count += counters::instructions(|| worker.run())?;
    }
    flush(mounted.tracing.as_ref());
    Ok(Counts {
        own: count as f64 / f64::from(COUNTED),
        background: None,
    })
}
