//! The command: what is measured, and where the results are written.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::against::{self, Comparison};
use crate::filter::Filter;
use crate::measures::instructions::Counter;
use crate::measures::{Plan, allocations, instructions, sockets, threads, time};
use crate::receivers::Receivers;
use crate::results::{Machine, Measure, Results};
use crate::{Problem, page, table};

/// Measures what tracing costs a request, in every framework.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// Run only measurements whose names contain every word of this text: measure, framework and case, such as
    /// "instructions axum" or "recorded". May be given several times; then one match is enough. The bare framework
    /// always runs as well.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run only these measures: allocations, held, instructions, time, threads, sockets.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    measures: Vec<String>,
    /// Take few samples of the main cases, for a first impression; do not publish these figures.
    #[arg(long)]
    quick: bool,
    /// Take few samples of all cases.
    #[arg(long, hide = true)]
    few_samples: bool,
    /// Also write the samples to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also build this revision, run both in turn on this machine, and compare them.
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
    #[command(subcommand)]
    child: Option<Child>,
}

/// The roles in which the command starts itself.
#[derive(Debug, Subcommand)]
enum Child {
    /// Runs cases under callgrind.
    #[command(hide = true)]
    Instructions(instructions::Arguments),
    /// Serves one case.
    #[command(hide = true)]
    Serve(sockets::Arguments),
}

/// The names of all measures.
const MEASURES: [Measure; 6] = [
    Measure::Allocations,
    Measure::Held,
    Measure::Instructions,
    Measure::Time,
    Measure::OneThread,
    Measure::RequestsOne,
];

/// Runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.child {
        Some(Child::Instructions(arguments)) => instructions::run(arguments),
        Some(Child::Serve(arguments)) => sockets::serve(arguments),
        None => bench(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem(problem)) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<(), Problem> {
    if cfg!(debug_assertions) {
        eprintln!(
            "built without optimisation: these figures mean nothing; use `cargo xtask bench`"
        );
    }
    let measures = chosen(&arguments.measures)?;
    let filter = Filter(arguments.filter.clone());
    let is_filtered = !arguments.filter.is_empty() || measures.len() < MEASURES.len();
    let (results, comparison) = match &arguments.against {
        None => (
            measured(filter, &measures, arguments.quick, arguments.few_samples)?,
            None,
        ),
        Some(revision) => {
            let compared = against::measured(revision, &filter, &measures, arguments.quick)?;
            (compared.this.clone(), Some(compared))
        }
    };
    print(&results, comparison.as_ref());
    if let Some(file) = &arguments.json {
        results.write(file)?;
    }
    if let Some(file) = &arguments.markdown {
        write(file, &markdown(&results))?;
    }
    // Results for a program need no page: `--against` starts such runs.
    if arguments.json.is_none() {
        let page = match (comparison.is_some(), is_filtered) {
            (true, _) => "against.html",
            (false, true) => "filtered.html",
            (false, false) => "index.html",
        };
        let file = folder().join(page);
        write(&file, &page::render(&results, comparison.as_ref()))?;
        println!("\ntarget/bench/{page}");
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Measure>, Problem> {
    if names.is_empty() {
        return Ok(MEASURES.to_vec());
    }
    let named = |name: &String| {
        let measure = MEASURES.into_iter().find(|measure| measure.name() == name);
        let all = MEASURES.map(Measure::name).join(", ");
        measure.ok_or_else(|| Problem(format!("no measure {name:?}; there are {all}")))
    };
    names.iter().map(named).collect()
}

/// Runs the measures; those that other processes disturb least come first.
fn measured(
    filter: Filter,
    measures: &[Measure],
    quick: bool,
    few_samples: bool,
) -> Result<Results, Problem> {
    let receivers =
        Receivers::start().map_err(|error| Problem(format!("the receivers: {error}")))?;
    let plan = Plan {
        filter,
        few_samples: quick || few_samples,
        main_cases: quick,
        addresses: receivers.addresses.clone(),
    };
    let mut results = Results::new(Machine::this(), quick);
    let counting: Vec<_> = measures
        .iter()
        .copied()
        .filter(|measure| matches!(measure, Measure::Allocations | Measure::Held))
        .collect();
    if !counting.is_empty() {
        results.extend(allocations::measured(&plan, &counting)?);
    }
    for measure in measures {
        match measure {
            Measure::Instructions => match Counter::find() {
                Ok(counter) => {
                    results.machine.counter = Some(counter.name());
                    instructions::measure(&plan, &counter, &mut results)?;
                }
                Err(Problem(reason)) => results.notes.push(reason),
            },
            Measure::Time => time::measure(&plan, &mut results),
            Measure::OneThread => threads::measure(&plan, &mut results),
            Measure::RequestsOne => sockets::measure(&plan, &mut results)?,
            _ => {}
        }
    }
    match results.cells.is_empty() && results.notes.is_empty() {
        true => Err(Problem("nothing has this in its name".to_owned())),
        false => Ok(results),
    }
}

fn print(results: &Results, comparison: Option<&Comparison>) {
    let tables = match comparison {
        Some(comparison) => comparison.tables(),
        None => table::tables(results),
    };
    for table in tables {
        println!("\n{}", table.plain());
    }
    for note in &results.notes {
        println!("note: {note}");
    }
}

fn markdown(results: &Results) -> String {
    let tables = table::tables(results);
    let mut text = tables
        .iter()
        .map(table::Table::markdown)
        .collect::<Vec<_>>()
        .join("\n");
    if !results.notes.is_empty() {
        text.push_str("\nNotes:\n\n");
        text.extend(results.notes.iter().map(|note| format!("- {note}\n")));
    }
    text
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// The folder that the page is written to.
pub(crate) fn folder() -> PathBuf {
    root().join("target/bench")
}

fn write(file: &Path, text: &str) -> Result<(), Problem> {
    let problem = |error| Problem(format!("{}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(problem)?;
    }
    fs::write(file, text).map_err(problem)
}
