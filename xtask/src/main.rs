//! The project's own commands: `cargo xtask`.
//!
//! Only what every command needs is compiled with this package. The matrix and the benchmarks are large; they are
//! separate packages, which are built when they are used.

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
    /// Run the contracts and the example services, call each service through each other one, and check the traces.
    ///
    /// Builds and runs every test program that calls a contract of the test kit: every case for every framework, tracer
    /// and format. Then builds the four examples, starts them on free ports with an embedded collector, sends HTTP
    /// requests through every caller → callee pair, with every propagation format and both tracers, and checks the
    /// spans that arrive. Prints a line for each column of a contract, the tables and one trace, and writes
    /// target/matrix/index.html: the contracts as framework × case, with missing features and their reasons, and the
    /// tables, where every cell is a link to its trace. Exit status 0 only if every case was run and passes, and every
    /// cell holds.
    Matrix {
        /// Run only the cells and cases whose names contain this text, such as "b3", "unsampled" or "axum -> rocket";
        /// the page is then target/matrix/filtered.html. A case's name consists of the contract, the folder and the
        /// case, as in "server contract axum http_1_0_is_served", so that "contract" runs all contracts, "contract
        /// axum" those of one folder, and "http2_" one group everywhere. Programs without a selected name are not
        /// built.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
        /// Start four services again at the end, and keep them running until Enter is pressed.
        #[arg(long)]
        keep_open: bool,
        /// Also send the traces to a real Jaeger, over every transport, and check what its query API returns.
        ///
        /// Adds a row for each transport to the tables, and the cases of the tracer contract with Jaeger as the
        /// backend. Without a value, or with `required`, it fails if there is no Jaeger and none can be built; with
        /// `if-possible` it then prints that this part was skipped. See `cargo xtask jaeger` for how a Jaeger is found.
        #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "required")]
        jaeger: Option<String>,
    },
    /// Start a real Jaeger on free ports, and stop it at Ctrl-C.
    ///
    /// Uses the `jaeger` on the PATH; otherwise builds Jaeger 2.13 from its published Go module, which requires Go 1.25
    /// or newer and takes some minutes the first time, and keeps it below target/jaeger. It stores traces in memory and
    /// listens on this machine only: OTLP over gRPC and HTTP, Thrift over UDP, the query API. Its configuration and its
    /// log are written to target/jaeger. It ends with this command, even if that is killed.
    Jaeger {
        /// Also start the four examples, send them a little traffic, and print the addresses of their traces.
        #[arg(long)]
        demo: bool,
    },
    /// Run the checks that a change has to pass: formatting, lints, documentation, every package alone, tidiness.
    ///
    /// Prints the name and the time of each step. All steps run, and the command fails if any step fails. The tests are
    /// `cargo test --workspace`. At the end, if there is valgrind, the instructions of a few requests are counted and
    /// compared with those of the commit that this branch started from; this never fails.
    Ci,
    /// Measure what tracing costs a request, in every framework, and write a page with charts.
    ///
    /// Builds the benchmark with optimisation and calls the same application in each framework with the same request:
    /// bare, with a layer that does nothing, and traced in about twenty ways. Measures allocations and instructions per
    /// request, time as a ratio to bare with its spread, bytes held by a request in flight, requests per second and
    /// processor time over sockets, and one thread against two. Instructions are counted by valgrind's callgrind, or by
    /// the processor's counters; if there is neither, a note is printed. Prints tables and writes
    /// target/bench/index.html.
    Bench(Box<Bench>),
}

#[derive(Debug, Args)]
struct Bench {
    /// Run only measurements whose names contain every word of this text: measure, framework and case, such as
    /// "instructions axum" or "recorded". May be given several times; then one match is enough. The case that a case is
    /// compared with always runs as well. The page is then target/bench/filtered.html.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run only these measures: allocations, held, instructions, time, threads, sockets.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    measures: Vec<String>,
    /// Take few samples of the main cases, for a first impression; do not publish these figures.
    #[arg(long)]
    quick: bool,
    /// Write the samples to this file as JSON, instead of a page.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables to this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Also build this revision, with this toolchain and in a separate working tree below target/bench, run both in
    /// turn on this machine, and compare them. The page is then target/bench/against.html.
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

/// The matrix's program knows the examples.
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
    // It has two programs, and `cargo run` builds only the one that it runs.
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
