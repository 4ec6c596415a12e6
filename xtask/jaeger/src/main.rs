//! Starts a real Jaeger and waits; see `cargo xtask jaeger --help`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use xtask_jaeger::{Jaeger, find};

/// Start a real Jaeger, and stop it at the end of this program.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the configuration and the log; target/jaeger by default.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let problem = run(&Arguments::parse());
    eprintln!("error: {problem}");
    ExitCode::FAILURE
}

/// Runs until it is stopped; returns why it ended before.
fn run(arguments: &Arguments) -> String {
    let root = root();
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => root.join("target/jaeger"),
    };
    let started = find(&root).and_then(|program| {
        println!("starting {} …", program.display());
        Jaeger::start(&program, &folder)
    });
    let mut jaeger = match started {
        Ok(jaeger) => jaeger,
        Err(problem) => return problem,
    };
    println!("{}\nCtrl-C stops it", jaeger.directions());
    jaeger.wait()
}

/// Returns the repository's folder.
fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}
