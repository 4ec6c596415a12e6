//! What a change has to pass, besides the tests and the matrix.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::{Problem, cargo, cargo_output, line, root};

/// A command of cargo's.
#[derive(Debug)]
struct Step {
    arguments: Vec<String>,
    variables: &'static [(&'static str, &'static str)],
}

/// A package that is published.
#[derive(Debug)]
struct Package {
    name: String,
    has_features: bool,
    counts_allocations: bool,
    has_contract: bool,
    has_suite: bool,
}

/// Runs every step, also after one failed, and fails if any did.
pub(crate) fn run() -> Result<(), Problem> {
    let packages = published()?;
    let steps = steps(&packages);
    let (mut done, count) = (Vec::new(), steps.len());
    for (index, step) in steps.iter().enumerate() {
        println!("\n[{} of {count}] {}", index + 1, step.line());
        let start = Instant::now();
        let result = cargo(&step.arguments, step.variables);
        done.push((step, start.elapsed(), result));
    }

    let start = Instant::now();
    let report = instructions();
    let took = start.elapsed();

    println!();
    for (step, duration, result) in &done {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{verdict:6} {:>7} {}", seconds(*duration), step.line());
    }
    println!(
        "{report:6} {:>7} instructions of a few requests, which never fails",
        seconds(took)
    );
    let failed = done.iter().filter(|(_, _, result)| result.is_err()).count();
    match failed {
        0 => Ok(()),
        _ => Err(Problem(format!("{failed} of {count} steps failed"))),
    }
}

/// Prints the instructions of a few requests, beside those of the commit that this branch started from. A change that costs more
/// is for a reviewer to judge: nothing here fails. Returns what became of it.
fn instructions() -> &'static str {
    println!("\ninstructions of a request, against the merge base");
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no valgrind on the PATH");
        return "none";
    }
    // Without frameworks, and in the folder that the other revision is built in: so nothing is compiled twice.
    let mut arguments: Vec<_> = [
        "run",
        "--release",
        "--package=xtask-bench",
        "--quiet",
        "--no-default-features",
        "--target-dir=target/bench/build",
        "--",
        "--quick",
        "--measures=instructions",
        "--filter=core",
        "--filter=tower",
        "--json=target/bench/instructions.json",
    ]
    .map(str::to_owned)
    .into();
    let base = merge_base();
    match &base {
        Ok(base) => println!("compared with {base}"),
        Err(reason) => println!("this revision alone: {reason}"),
    }
    arguments.extend(base.iter().map(|base| format!("--against={base}")));
    match cargo(&arguments, &[]) {
        Ok(()) => "ok",
        Err(problem) => {
            println!("{problem}");
            "none"
        }
    }
}

/// Returns the commit that this branch started from, or why there is nothing to compare with.
fn merge_base() -> Result<String, String> {
    let head = git(&["rev-parse", "HEAD"])?;
    let base = git(&["merge-base", "HEAD", "origin/HEAD"])
        .or_else(|_| git(&["merge-base", "HEAD", "main"]))?;
    if base == head {
        return Err("it is the merge base itself".to_owned());
    }
    // Not those that cannot be compared: see `against.rs` of the benchmark.
    git(&[
        "cat-file",
        "-e",
        &format!("{base}:xtask/bench/src/results.rs"),
    ])
    .map_err(|_| format!("the benchmark of the merge base {base} is older and has no --json"))?;
    Ok(base)
}

fn git(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .current_dir(root())
        .args(arguments)
        .output()
        .map_err(|error| format!("git does not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

fn steps(packages: &[Package]) -> Vec<Step> {
    let mut steps = vec![
        Step::new("fmt --all --check"),
        Step::new("clippy --workspace --all-targets -- -D warnings"),
        Step {
            variables: &[("RUSTDOCFLAGS", "-D warnings")],
            ..Step::new("doc --workspace --no-deps")
        },
        Step::new("test --package xtask --test tidy"),
        Step::new("test --package xtask --test public_api"),
        Step::new("test --package xtask --test dependencies"),
        Step::new("test --package xtask --test levels"),
    ];
    // One command for all packages would turn on, in each, the features that any of them asks of a common dependency.
    for Package {
        name, has_features, ..
    } in packages
    {
        steps.push(Step::new(&format!("check --package {name}")));
        if *has_features {
            steps.push(Step::new(&format!("check --package {name} --all-features")));
            steps.push(Step::new(&format!(
                "check --package {name} --no-default-features"
            )));
        }
    }
    // The same for what a feature adds: without it the contract asserts what happens instead.
    for package in packages
        .iter()
        .filter(|package| package.has_features && package.has_contract)
    {
        steps.push(Step::new(&format!(
            "test --package {} --test contract",
            package.name
        )));
    }
    // What no package of the workspace turns on is tested nowhere else.
    for package in packages
        .iter()
        .filter(|package| package.has_features && package.has_suite)
    {
        steps.push(Step::new(&format!(
            "test --package {} --all-features --test suite",
            package.name
        )));
    }
    // In the whole workspace the features of other packages would change how much is allocated.
    for package in packages.iter().filter(|package| package.counts_allocations) {
        steps.push(Step::new(&format!(
            "test --package {} --test allocations",
            package.name
        )));
    }
    steps
}

/// The packages of the workspace that are published, in the order of their names.
fn published() -> Result<Vec<Package>, Problem> {
    let metadata = cargo_output(&["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Problem(format!("cargo metadata: {error}")))?;
    let all = metadata["packages"].as_array().into_iter().flatten();
    let mut packages: Vec<_> = all
        .filter(|package| package["publish"].is_null())
        .filter_map(Package::read)
        .collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    match packages.is_empty() {
        true => Err(Problem(
            "cargo metadata tells of no package that is published".to_owned(),
        )),
        false => Ok(packages),
    }
}

impl Package {
    fn read(metadata: &Value) -> Option<Self> {
        let folder = Path::new(metadata["manifest_path"].as_str()?).parent()?;
        Some(Self {
            name: metadata["name"].as_str()?.to_owned(),
            has_features: !metadata["features"].as_object()?.is_empty(),
            counts_allocations: folder.join("tests/allocations.rs").is_file(),
            has_contract: folder.join("tests/contract.rs").is_file(),
            has_suite: folder.join("tests/suite").is_dir(),
        })
    }
}

impl Step {
    fn new(line: &str) -> Self {
        Self {
            arguments: line.split(' ').map(str::to_owned).collect(),
            variables: &[],
        }
    }

    /// The command as one would type it.
    fn line(&self) -> String {
        let variables = self
            .variables
            .iter()
            .map(|(key, value)| format!("{key}=\"{value}\" "));
        variables.chain([line(&self.arguments)]).collect()
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
