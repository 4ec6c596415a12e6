//! The project's own commands: `cargo xtask`.
//!
//! Only what every command needs is compiled with this one. What is heavy, the matrix and the benchmarks, are packages below
//! it, built when they are asked for.

mod ci;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::run::{Problem, become_cargo, cargo};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the contracts and the example services, call each through each, and check the traces.
    ///
    /// Builds and runs every test program that calls a contract of the test kit: every case for every framework, tracer and
    /// format. Then builds the four examples, starts them on free ports with a collector of its own, drives real HTTP through
    /// every caller → callee pair, every propagation format and both tracers, and checks what arrives. Prints a line for
    /// each who passes a contract, the tables and one trace, and writes target/matrix/index.html: the contracts as framework ×
    /// case with what each cannot do and why, and the tables, where every cell leads to its trace. Exit status 0 only if
    /// every case was run and passes, and every cell holds.
    Matrix {
        /// Run only the cells and cases whose name has this in it, such as "b3", "unsampled" or "axum -> rocket"; the page is
        /// then target/matrix/filtered.html. A case's name is the contract's, the folder and the case, as in "server contract axum
        /// http_1_0_is_served", so that "contract" runs the contracts alone, "contract axum" those of one folder, and "http2_"
        /// that group everywhere. What has no name left is
        /// not built.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
        /// Start four services again when all is done, and let them run until Enter is pressed.
        #[arg(long)]
        keep_open: bool,
        /// Also send the traces to a real Jaeger, over every transport that reaches it, and check what its query API returns.
        ///
        /// Adds a row for each transport to the tables, and the cases of the tracer contract with Jaeger as the far end.
        /// Without a value, or with `required`, it fails where there is no Jaeger and none can be built; with `if-possible` a
        /// line then says that this was skipped. See `cargo xtask jaeger` for where the Jaeger comes from.
        #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "required")]
        jaeger: Option<String>,
    },
    /// Start a real Jaeger on free ports, and stop it at Ctrl-C.
    ///
    /// Takes the `jaeger` on the PATH; else builds Jaeger 2.13 from its published Go module, which needs Go 1.25 or newer and
    /// takes some minutes the first time, and keeps it below target/jaeger. It keeps traces in memory and listens on this
    /// machine only: OTLP over gRPC and HTTP, Thrift over UDP, the query API. Its configuration and its log are written to
    /// target/jaeger. It ends with this command, however that ends.
    Jaeger {
        /// Start the four examples as well, send them a little traffic, and print where to look.
        #[arg(long)]
        demo: bool,
    },
    /// Run what a change has to pass: formatting, lints, documentation, every package by itself, tidiness.
    ///
    /// Each step is named and timed; all of them run, and any that fails makes this fail. The tests themselves are
    /// `cargo test --workspace`. At the end, where valgrind is there, the instructions of a few requests are counted and
    /// compared with those of the commit that this branch started from; whatever they are, this does not fail.
    Ci,
    /// Measure what tracing costs a request, in every framework, and write a page with charts.
    ///
    /// Builds the benchmark with optimisation and calls the same application in each framework with the same request: bare, with a
    /// layer that does nothing, and traced in some twenty ways. Takes allocations and instructions per request, time as a ratio
    /// to bare with its spread, bytes held by a request in flight, requests per second and processor time over sockets, and
    /// one thread against two. Instructions are counted by valgrind's callgrind, or else by the processor's counters; where
    /// there is neither, a note says so. Prints tables and writes target/bench/index.html.
    Bench(Box<Bench>),
}

#[derive(Debug, Args)]
struct Bench {
    /// Run only what has every word of this text in its name: measure, framework and case, such as "instructions axum" or
    /// "recorded". May be given several times; then one that fits is enough. What a case is compared with is always run with
    /// it. The page is then target/bench/filtered.html.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Take only these measures: allocations, held, instructions, time, threads, sockets.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    measures: Vec<String>,
    /// Take few samples of the main cases: a look, and not a figure to write down.
    #[arg(long)]
    quick: bool,
    /// Write the samples to this file as JSON, instead of a page.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also build this revision, with this toolchain and in a working tree of its own below target/bench, run both in turn on
    /// this machine, and compare them. The page is then target/bench/against.html.
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Matrix {
            filter,
            keep_open,
            jaeger,
        } => matrix(filter, keep_open, jaeger),
        Command::Jaeger { demo: false } => jaeger(),
        Command::Jaeger { demo: true } => demo(),
        Command::Ci => ci::run(),
        Command::Bench(options) => bench(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn matrix(filter: Option<String>, keep_open: bool, jaeger: Option<String>) -> Result<(), Problem> {
    println!("building the matrix …");
    let mut arguments: Vec<_> = ["run", "--package", "xtask-matrix", "--quiet", "--"]
        .map(str::to_owned)
        .into();
    arguments.extend(filter_argument(filter));
    arguments.extend(keep_open.then(|| "--keep-open".to_owned()));
    arguments.extend(jaeger.map(|when| format!("--jaeger={when}")));
    cargo(&arguments, &[])
}

fn jaeger() -> Result<(), Problem> {
    become_cargo(&["run", "--package", "xtask-jaeger", "--quiet"])
}

/// The matrix's program has the examples at hand.
fn demo() -> Result<(), Problem> {
    println!("building the demo …");
    become_cargo(&[
        "run",
        "--package",
        "xtask-matrix",
        "--quiet",
        "--",
        "--demo",
    ])
}

fn bench(options: &Bench) -> Result<(), Problem> {
    println!("building the benchmark …");
    // It is two programs, and `cargo run` builds the one that it runs.
    cargo(
        &["build", "--release", "--package", "xtask-bench", "--quiet"],
        &[],
    )?;
    let mut arguments: Vec<_> = [
        "run",
        "--release",
        "--package",
        "xtask-bench",
        "--quiet",
        "--",
    ]
    .map(str::to_owned)
    .into();
    arguments.extend(options.filter.iter().map(|text| format!("--filter={text}")));
    arguments.extend(
        options
            .measures
            .iter()
            .map(|name| format!("--measures={name}")),
    );
    arguments.extend(options.quick.then(|| "--quick".to_owned()));
    for (name, file) in [("json", &options.json), ("markdown", &options.markdown)] {
        // The program runs in the repository's root.
        let file = file.as_ref().map(std::path::absolute).transpose();
        let file = file.map_err(|error| Problem(format!("--{name}: {error}")))?;
        arguments.extend(file.map(|file| format!("--{name}={}", file.display())));
    }
    arguments.extend(
        options
            .against
            .iter()
            .map(|revision| format!("--against={revision}")),
    );
    cargo(&arguments, &[])
}

fn filter_argument(filter: Option<String>) -> Option<String> {
    filter.map(|filter| format!("--filter={filter}"))
}
