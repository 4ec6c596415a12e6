//! The checks that a change has to pass, besides the tests and the matrix.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::{Problem, cargo, cargo_output, line, root};

/// A cargo command.
#[derive(Debug)]
struct Step {
    arguments: Vec<String>,
    variables: &'static [(&'static str, &'static str)],
}

/// A published package.
#[derive(Debug)]
struct Package {
    name: String,
    has_features: bool,
    counts_allocations: bool,
    has_contract: bool,
    has_suite: bool,
}

/// Runs every step, even after a failure, and fails if any step did.
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

/// Prints the instructions of a few requests, next to those of the commit that this branch started from. It never
/// fails: a reviewer judges whether a change costs too much. Returns a verdict for the summary.
fn instructions() -> &'static str {
    println!("\ninstructions of a request, against the merge base");
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no valgrind on the PATH");
        return "none";
    }
    // Without frameworks, and in the folder that the other revision is built in, so that nothing is compiled twice.
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

/// Returns the commit that this branch started from, or why there is none to compare with.
fn merge_base() -> Result<String, String> {
    let head = git(&["rev-parse", "HEAD"])?;
    let base = git(&["merge-base", "HEAD", "origin/HEAD"])
        .or_else(|_| git(&["merge-base", "HEAD", "main"]))?;
    if base == head {
        return Err("it is the merge base itself".to_owned());
    }
    // Commits that cannot be compared are excluded: see `against.rs` of the benchmark.
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
        Step::new("test --package xtask --test prose"),
        Step::new("test --package xtask --test examples"),
        Step::new("test --package xtask --test public_api"),
        Step::new("test --package xtask --test dependencies"),
        Step::new("test --package xtask --test levels"),
    ];
    // One command for all packages would enable, in each, the features that any of them requires of a common
    // dependency.
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
    // The same for features: without one, the contract asserts what happens instead.
    for package in packages
        .iter()
        .filter(|package| package.has_features && package.has_contract)
    {
        steps.push(Step::new(&format!(
            "test --package {} --test contract",
            package.name
        )));
    }
    // Features that no package of the workspace enables are tested nowhere else.
    for package in packages
        .iter()
        .filter(|package| package.has_features && package.has_suite)
    {
        steps.push(Step::new(&format!(
            "test --package {} --all-features --test suite",
            package.name
        )));
    }
    // Without the packages that are not published, whose features could change the number of allocations. One command for all:
    // their own features do not, as the test of the whole workspace shows.
    let counted = packages.iter().filter(|package| package.counts_allocations);
    let names = counted.map(|package| format!(" --package {}", package.name));
    steps.push(Step::new(&format!(
        "test --test allocations{}",
        names.collect::<String>()
    )));
    steps
}

/// Returns the published packages of the workspace, in the order of their names.
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

    /// Returns the command as it is typed.
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
