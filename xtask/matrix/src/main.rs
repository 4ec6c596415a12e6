//! Drives the example services through every pair of frameworks and checks their traces.

mod alone;
mod cell;
mod chains;
mod compile;
mod downstream;
mod drive;
mod expect;
mod fleet;
mod framework;
mod http;
mod page;
mod pairs;
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
use crate::downstream::Downstream;
use crate::drive::Driver;
use crate::http::Http;

/// Checks the traces of every caller with every callee; see `cargo xtask matrix --help`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only the cells whose name has this in it, such as "b3", "unsampled" or "axum -> rocket".
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
    let cells = chosen(arguments.filter.as_deref())?;
    println!("{} cells", cells.len());
    let root = root();
    let programs = compile::examples(&root)?;

    let start = Instant::now();
    let target = root.join("target/matrix");
    let logs = target.join("logs");
    let io = |error| format!("{}: {error}", target.display());
    fs::create_dir_all(&logs).map_err(io)?;
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
    println!("the collector listens on {} (UDP)", agent.address());
    let results = driver.run(&cells)?;
    let problems = store.problems();
    let seconds = start.elapsed().as_secs_f64();

    let filter = arguments.filter.as_deref();
    // A part of the matrix leaves the page of the whole alone.
    let page = target.join(match filter {
        Some(_) => "filtered.html",
        None => "index.html",
    });
    fs::write(&page, page::render(&results, &problems, filter, seconds)).map_err(io)?;
    terminal::tables(&results);
    terminal::example(&results);
    terminal::failures(&results);
    terminal::summary(&results, &problems, &page, seconds);
    if arguments.keep_open {
        keep_open(&driver, &cells)?;
    }
    Ok(problems.is_empty() && results.iter().all(|result| result.failure().is_none()))
}

/// The cells that the filter leaves.
fn chosen(filter: Option<&str>) -> Result<Vec<Cell>, String> {
    let mut cells = Cell::all();
    if let Some(filter) = filter {
        let filter = filter.replace("->", "→");
        cells.retain(|cell| cell.to_string().contains(&filter));
        if let (true, Some(cell)) = (cells.is_empty(), Cell::all().first()) {
            return Err(format!(
                "no cell's name has {filter:?} in it; the first of all is {:?}",
                cell.to_string()
            ));
        }
    }
    Ok(cells)
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
