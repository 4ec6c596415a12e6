//! Runs the contracts, runs the example services in every pair of frameworks, and checks their traces.

mod alone;
mod arrivals;
mod cell;
mod chains;
mod compile;
mod contract;
mod demo;
mod downstream;
mod drive;
mod expect;
mod filter;
mod fleet;
mod framework;
mod http;
mod matrix;
mod page;
mod pairs;
mod parallel;
mod printed;
mod real;
mod run;
mod service;
mod terminal;
mod tracers;
mod upstream;
mod waterfall;

use std::env;
use std::fs;
use std::io::stdin;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use xtask_collector::{Agent, SpanStore};
use xtask_jaeger::{Addresses, Jaeger};

use crate::cell::Cell;
use crate::compile::Programs;
use crate::downstream::Downstream;
use crate::drive::Driver;
use crate::filter::Filter;
use crate::fleet::Receivers;
use crate::http::Http;
use crate::matrix::Matrix;
use crate::real::{Through, Transport};

/// Run the contracts, and check the traces of every caller with every callee; see `cargo xtask matrix --help`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only the cells and cases whose name contains this text, such as "b3", "axum -> rocket" or "contract axum".
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Start four services again at the end, and keep them running until Enter is pressed.
    #[arg(long)]
    keep_open: bool,
    /// Send to a real Jaeger as well.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "required")]
    jaeger: Option<When>,
    /// Instead of all this, run a real Jaeger and four services with a little traffic.
    #[arg(long, conflicts_with_all = ["filter", "keep_open", "jaeger"])]
    demo: bool,
    /// Instead of all this, run cases of the tracer contract with the real Jaeger of the environment's variables: the
    /// transport, then the cases.
    #[arg(long, hide = true, value_name = "NAME", num_args = 1.., exclusive = true)]
    tracer_cases: Vec<String>,
}

/// Whether a real Jaeger is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// Without one the run fails.
    Required,
    /// Without one the run leaves it out, and reports that.
    IfPossible,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.demo, arguments.tracer_cases.as_slice()) {
        (true, _) => demo::run(&root()).map(|()| true),
        (false, []) => run(&arguments),
        (false, cases) => real::serve(cases).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs everything; returns `true` if all holds.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let filter = Filter::new(arguments.filter.as_deref());
    let root = root();
    let mut cells = chosen(&filter);
    let mut through = real::chosen(&filter);
    let real_cells = cells.iter().filter(|cell| cell.fleet.tracer.is_real());
    let needs_jaeger = real_cells.count() + through.len() > 0;
    let (jaeger, skipped) = match arguments.jaeger {
        Some(when) if needs_jaeger => find_jaeger(when, &root)?,
        _ => (None, None),
    };
    if jaeger.is_none() {
        cells.retain(|cell| !cell.fleet.tracer.is_real());
        through.clear();
    }
    let targets = contract::targets(&root, &filter)?;
    let nothing = cells.is_empty() && through.is_empty() && targets.is_empty();
    if nothing && skipped.is_none() {
        let text = filter.text().unwrap_or_default();
        let first = Cell::all().first().map(ToString::to_string);
        return Err(match needs_jaeger {
            true => {
                format!("the cells with {text:?} in their names need a real Jaeger: add --jaeger")
            }
            false => format!(
                "no name contains {text:?}; the first name is {:?}",
                first.unwrap_or_default()
            ),
        });
    }
    let (cell_count, program_count) = (cells.len(), targets.len());
    println!("cells: {cell_count}, programs with contracts: {program_count}");
    let contracts = compile::contracts(&root, &targets)?;
    let programs = match cells.is_empty() {
        true => Programs::new(),
        false => compile::examples(&root)?,
    };

    let start = Instant::now();
    let target = root.join("target/matrix");
    let logs = target.join("logs");
    let io = |error| format!("{}: {error}", target.display());
    fs::create_dir_all(&logs).map_err(io)?;
    let mut contracts = contract::run(contracts, &filter, &logs);
    // A part of the contracts is not the whole result.
    if filter.text().is_none() {
        let problem = tracers::check(&contracts, &root.join(tracers::PAGE), &target);
        contracts.problems.extend(problem.err());
    }
    let jaeger = jaeger
        .map(|program| start_jaeger(&program, &logs))
        .transpose()?;
    let store = Arc::new(SpanStore::default());
    let agent = Agent::start(store.clone()).map_err(|error| format!("the collector: {error}"))?;
    let ends = Receivers {
        agent: agent.address(),
        store,
        jaeger: jaeger.as_ref().map(|jaeger| *jaeger.addresses()),
    };
    let downstream =
        Downstream::start().map_err(|error| format!("the driver's own service: {error}"))?;
    let driver = Driver {
        programs: &programs,
        ends: &ends,
        logs: &logs,
        downstream: &downstream,
        http: &Http::new(),
    };
    if !cells.is_empty() {
        println!("the collector listens on {} (UDP)", agent.address());
    }
    let through = match &ends.jaeger {
        Some(jaeger) => through_jaeger(&through, jaeger, &logs)?,
        None => Vec::new(),
    };
    let results = driver.run(&cells)?;
    let problems = ends.store.problems();
    let seconds = start.elapsed().as_secs_f64();

    // A filtered run does not replace the page of the whole matrix.
    let page = target.join(match filter.text() {
        Some(_) => "filtered.html",
        None => "index.html",
    });
    let matrix = Matrix {
        results,
        contracts,
        through,
        skipped,
        problems,
        seconds,
    };
    fs::write(&page, page::render(&matrix, &filter)).map_err(io)?;
    terminal::tables(&matrix.results);
    terminal::example(&matrix.results);
    terminal::failures(&matrix);
    terminal::summary(&matrix, &page);
    if arguments.keep_open {
        keep_open(&driver, &cells)?;
    }
    Ok(matrix.good())
}

/// Returns the program, or why there is none if that is allowed.
fn find_jaeger(when: When, root: &Path) -> Result<(Option<PathBuf>, Option<String>), String> {
    match (xtask_jaeger::find(root), when) {
        (Ok(program), _) => Ok((Some(program), None)),
        (Err(problem), When::Required) => Err(problem),
        (Err(problem), When::IfPossible) => {
            println!("skipped: the real Jaeger: {problem}");
            Ok((None, Some(problem)))
        }
    }
}

fn start_jaeger(program: &Path, folder: &Path) -> Result<Jaeger, String> {
    println!("starting {} …", program.display());
    let jaeger = Jaeger::start(program, folder)?;
    println!("{}", jaeger.directions());
    Ok(jaeger)
}

/// Runs the cases of the tracer contract through a real Jaeger, and prints a line for each transport.
fn through_jaeger(
    chosen: &[(&'static Transport, Vec<&'static str>)],
    jaeger: &Addresses,
    logs: &Path,
) -> Result<Vec<Through>, String> {
    let mut all = Vec::new();
    for (transport, cases) in chosen {
        let through = real::run(transport, cases, jaeger, logs)?;
        terminal::through(&through);
        all.extend(through);
    }
    Ok(all)
}

/// Returns the cells that the filter selects.
fn chosen(filter: &Filter) -> Vec<Cell> {
    let mut cells = Cell::all();
    cells.retain(|cell| filter.takes(&cell.to_string()));
    cells
}

fn keep_open(driver: &Driver<'_>, cells: &[Cell]) -> Result<(), String> {
    let Some(kind) = cells.first().map(|cell| cell.fleet) else {
        return Ok(());
    };
    let fleet = driver.start(kind)?;
    println!("\nthe collector listens on {} (UDP)", driver.ends.agent);
    terminal::addresses(&fleet);
    println!("press Enter to stop them");
    // If the input cannot be read, Enter cannot be pressed.
    let _ = stdin().read_line(&mut String::new());
    fleet.stop()
}

/// Returns the workspace's folder.
fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}
