//! The project's own commands: `cargo xtask`.
//!
//! Only what every command needs is compiled with this one. What is heavy, the matrix and the benchmarks, are packages below
//! it, built when they are asked for.

mod ci;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// `cargo test --workspace`.
    Ci,
    /// Measure what tracing costs a request, in a release build.
    Bench {
        /// Run only the measurements whose name has this in it.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
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
        Command::Bench { filter } => bench(filter),
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

fn bench(filter: Option<String>) -> Result<(), Problem> {
    println!("building the benchmarks …");
    let mut arguments: Vec<_> = ["run", "--release", "--package", "xtask-bench", "--"]
        .map(str::to_owned)
        .into();
    arguments.extend(filter_argument(filter));
    cargo(&arguments, &[])
}

fn filter_argument(filter: Option<String>) -> Option<String> {
    filter.map(|filter| format!("--filter={filter}"))
}
