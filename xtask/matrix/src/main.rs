//! Runs the contracts, drives the example services through every pair of frameworks, and checks their traces.

mod alone;
mod cell;
mod chains;
mod compile;
mod contract;
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
mod run;
mod service;
mod terminal;
mod upstream;
mod waterfall;

use std::env;
use std::fs;
use std::io::stdin;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use xtask_collector::{Agent, SpanStore};

use crate::cell::Cell;
use crate::compile::Programs;
use crate::downstream::Downstream;
use crate::drive::Driver;
use crate::filter::Filter;
use crate::http::Http;
use crate::matrix::Matrix;

/// Runs the contracts, and checks the traces of every caller with every callee; see `cargo xtask matrix --help`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only the cells and the contracts' cases whose name has this in it, such as "b3", "axum -> rocket" or
    /// "contract axum".
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Start four services again when all is done, and let them run until Enter is pressed.
    #[arg(long)]
    keep_open: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all holds.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let filter = Filter::new(arguments.filter.as_deref());
    let cells = chosen(&filter);
    let root = root();
    let targets = contract::targets(&root, &filter)?;
    if let (true, true, Some(cell)) = (cells.is_empty(), targets.is_empty(), Cell::all().first()) {
        return Err(format!(
            "no name has {:?} in it; the first of all is {:?}",
            filter.text().unwrap_or_default(),
            cell.to_string()
        ));
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
    let contracts = contract::run(contracts, &filter, &logs);
    let store = Arc::new(SpanStore::default());
    let agent = Agent::start(store.clone()).map_err(|error| format!("the collector: {error}"))?;
    let downstream =
        Downstream::start().map_err(|error| format!("the driver's own service: {error}"))?;
    let driver = Driver {
        programs: &programs,
        agent: agent.address(),
        store: &store,
        logs: &logs,
        downstream: &downstream,
        http: &Http::new(),
    };
    if !cells.is_empty() {
        println!("the collector listens on {} (UDP)", agent.address());
    }
    let results = driver.run(&cells)?;
    let problems = store.problems();
    let seconds = start.elapsed().as_secs_f64();

    // A part of the matrix leaves the page of the whole alone.
    let page = target.join(match filter.text() {
        Some(_) => "filtered.html",
        None => "index.html",
    });
    let matrix = Matrix {
        results,
        contracts,
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

/// The cells that the filter leaves.
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
    println!("\nthe collector listens on {} (UDP)", driver.agent);
    for service in &fleet.services {
        println!("{:10} http://{}", service.framework.name(), service.address);
    }
    println!("press Enter to stop them");
    // An input that cannot be read is one that nobody presses Enter on.
    let _ = stdin().read_line(&mut String::new());
    fleet.stop()
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}
