//! Compares two revisions, built with the same options and run in turn on one machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Problem;
use crate::command::{folder, root};
use crate::filter::Filter;
use crate::results::{Measure, Results};
use crate::stats::Spread;
use crate::table::{PROCESS_MEASURES, SOCKET_MEASURES, Table, fraction, ratio, whole};

/// The programs of the benchmark, of which the first one is started.
const PROGRAMS: [&str; 2] = ["xtask-bench", "xtask-bench-counting"];

/// The results of the working tree, and those of another revision.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) revision: String,
    pub(crate) this: Results,
    pub(crate) that: Results,
}

/// A revision's programs.
struct Build {
    program: PathBuf,
}

/// Builds the other revision, and runs the measures of both: exact ones once, the others in turn.
pub(crate) fn measured(
    revision: &str,
    filter: &Filter,
    measures: &[Measure],
    quick: bool,
) -> Result<Comparison, Problem> {
    // Copied first: if both are built in one folder, the other revision's programs replace these.
    let this = Build::copy_of_this()?;
    let that = Build::of(revision)?;
    let (steady, others): (Vec<_>, Vec<_>) =
        measures.iter().partition(|measure| measure.is_steady());
    let mut results = None;
    let option = if quick { "--quick" } else { "--few-samples" };
    let mut run = |measures: &[Measure]| -> Result<(), Problem> {
        let (mine, theirs) = (
            this.run(filter, measures, option)?,
            that.run(filter, measures, option)?,
        );
        match &mut results {
            None => results = Some((mine, theirs)),
            Some((this, that)) => {
                this.extend(mine);
                that.extend(theirs);
            }
        }
        Ok(())
    };
    if !steady.is_empty() {
        run(&steady)?;
    }
    if !others.is_empty() {
        // Many short runs, so that changes of the machine's speed affect both revisions.
        for _ in 0..if quick { 2 } else { 8 } {
            run(&others)?;
        }
    }
    let (this, that) = results.ok_or_else(|| Problem("no measure was chosen".to_owned()))?;
    Ok(Comparison {
        revision: revision.to_owned(),
        this,
        that,
    })
}

impl Build {
    fn copy_of_this() -> Result<Self, Problem> {
        let this = env::current_exe().map_err(|error| Problem(format!("this program: {error}")))?;
        let folder = this.parent().unwrap_or(Path::new("."));
        Self::copy(folder, "this")
    }

    /// Builds a revision in a separate working tree, with this toolchain and these features.
    fn of(revision: &str) -> Result<Self, Problem> {
        let commit = git(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])?;
        let file = format!("{commit}:xtask/bench/src/results.rs");
        git(&["cat-file", "-e", &file]).map_err(|_| {
            Problem(format!(
                "the benchmark of {revision} is older than this one: it has no --json, and cannot be compared"
            ))
        })?;
        let tree = folder().join("tree");
        remove(&tree);
        let path = tree.display().to_string();
        git(&["worktree", "add", "--force", "--detach", &path, &commit])?;
        eprintln!("building {revision} …");
        let built = Self::build(&tree);
        remove(&tree);
        built?;
        Self::copy(&build_folder().join("release"), &commit)
    }

    fn build(tree: &Path) -> Result<(), Problem> {
        let features = [
            ("actix-web", cfg!(feature = "actix-web")),
            ("axum", cfg!(feature = "axum")),
            ("jaeger", cfg!(feature = "jaeger")),
            ("otlp", cfg!(feature = "otlp")),
            ("rocket", cfg!(feature = "rocket")),
            ("warp", cfg!(feature = "warp")),
        ];
        let features: Vec<_> = features
            .into_iter()
            .filter_map(|(name, is_on)| is_on.then_some(name))
            .collect();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let status = cargo
            .current_dir(tree)
            .args(["build", "--release", "--package", "xtask-bench", "--quiet"])
            .args(["--no-default-features", "--features", &features.join(",")])
            .arg("--target-dir")
            .arg(build_folder())
            // They are those of this package, and not of that one.
            .env_remove("CARGO_MANIFEST_DIR")
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Problem(format!("building it ended with {status}"))),
            Err(error) => Err(Problem(format!("cargo does not start: {error}"))),
        }
    }

    /// Copies the programs of a folder to a folder where no build replaces them.
    fn copy(from: &Path, name: &str) -> Result<Self, Problem> {
        let to = folder().join("programs").join(name);
        let problem = |error| Problem(format!("{}: {error}", to.display()));
        fs::create_dir_all(&to).map_err(problem)?;
        for program in PROGRAMS {
            let program = format!("{program}{}", env::consts::EXE_SUFFIX);
            let (from, to) = (from.join(&program), to.join(&program));
            // A running program cannot be overwritten, but it can be removed.
            let _ = fs::remove_file(&to);
            // Only the second one may be missing, if only instructions are counted.
            if from.is_file() || program.starts_with(PROGRAMS[0]) && !program.contains("counting") {
                fs::copy(from, to).map_err(problem)?;
            }
        }
        Ok(Self {
            program: to.join(format!("{}{}", PROGRAMS[0], env::consts::EXE_SUFFIX)),
        })
    }

    fn run(&self, filter: &Filter, measures: &[Measure], option: &str) -> Result<Results, Problem> {
        let file = self.program.with_extension("json");
        let measures: Vec<_> = measures.iter().map(|measure| measure.name()).collect();
        let status = Command::new(&self.program)
            .args(filter.0.iter().map(|text| format!("--filter={text}")))
            .arg(format!("--measures={}", measures.join(",")))
            .arg(option)
            .arg("--json")
            .arg(&file)
            .stdout(Stdio::null())
            .status()
            .map_err(|error| Problem(format!("{}: {error}", self.program.display())))?;
        match status.success() {
            true => Results::read(&file),
            false => Err(Problem(format!(
                "{} ended with {status}",
                self.program.display()
            ))),
        }
    }
}

/// The target folder of other revisions. They share the build of their dependencies.
fn build_folder() -> PathBuf {
    folder().join("build")
}

/// Removes the working tree, and its entry in git.
fn remove(tree: &Path) {
    let path = tree.display().to_string();
    let _ = git(&["worktree", "remove", "--force", &path]);
    let _ = fs::remove_dir_all(tree);
    let _ = git(&["worktree", "prune"]);
}

fn git(arguments: &[&str]) -> Result<String, Problem> {
    let problem =
        |error: &dyn std::fmt::Display| Problem(format!("git {}: {error}", arguments.join(" ")));
    let output = Command::new("git")
        .current_dir(root())
        .args(arguments)
        .output()
        .map_err(|error| problem(&error))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(problem(&String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// The columns of a comparison.
const COLUMNS: [(&str, Measure); 10] = [
    ("allocations", Measure::Allocations),
    ("instructions", Measure::Instructions),
    ("… in the background", Measure::Background),
    ("bytes in flight", Measure::Held),
    ("time", Measure::Time),
    ("processor time, two threads", Measure::TwoThreads),
    ("requests/s, one thread", Measure::RequestsOne),
    ("processor time", Measure::ProcessorOne),
    ("requests/s, two threads", Measure::RequestsTwo),
    ("processor time", Measure::ProcessorTwo),
];

impl Comparison {
    /// Returns a table for each target: for exact figures the change, for the others the ratio of this revision to the
    /// other one.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let measures = [&PROCESS_MEASURES[..], &SOCKET_MEASURES].concat();
        let mut tables = Vec::new();
        for target in self.this.targets(&measures) {
            let cases = self.this.cases(&measures, target);
            let columns: Vec<_> = COLUMNS
                .into_iter()
                .filter(|(_, measure)| {
                    let has_figure = |case: &&str| self.change(*measure, target, case).is_some();
                    cases.iter().any(has_figure)
                })
                .collect();
            let head = [""]
                .into_iter()
                .chain(columns.iter().map(|column| column.0));
            let rows = cases.iter().map(|case| {
                let changes = columns.iter().map(|(_, measure)| {
                    let change = self.change(*measure, target, case);
                    change.unwrap_or_default()
                });
                [(*case).to_owned()].into_iter().chain(changes).collect()
            });
            tables.push(Table {
                title: format!("{target}: {} → now", self.revision),
                head: head.map(str::to_owned).collect(),
                rows: rows.collect(),
            });
        }
        tables
    }

    fn change(&self, measure: Measure, target: &str, case: &str) -> Option<String> {
        let this = self.this.samples(measure, target, case);
        let that = self.that.samples(measure, target, case);
        if !measure.is_steady() {
            return Spread::of_ratios(this, that).map(ratio);
        }
        let this = Spread::of(this.iter().copied())?.median;
        let that = Spread::of(that.iter().copied())?.median;
        let show = match measure {
            Measure::Allocations => fraction,
            _ => whole,
        };
        let (before, after) = (show(that), show(this));
        Some(match before == after {
            true => before,
            false if that == 0.0 => format!("{before} → {after}"),
            false => format!("{before} → {after} ({:+.1} %)", 100.0 * (this / that - 1.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Machine;

    #[test]
    fn steady_figures_show_the_change_and_others_the_ratio() {
        let machine = Machine {
            date: String::new(),
            system: String::new(),
            cores: 1,
            compiler: String::new(),
            counter: None,
        };
        let mut this = Results::new(machine, true);
        let mut that = this.clone();
        for (results, instructions, times) in [
            (&mut this, 900.0, [1.0, 3.0]),
            (&mut that, 1000.0, [2.0, 6.0]),
        ] {
            results.add(Measure::Instructions, "axum", "bare", instructions);
            for time in times {
                results.add(Measure::Time, "axum", "bare", time);
            }
        }
        let comparison = Comparison {
            revision: "v1".to_owned(),
            this,
            that,
        };
        let plain = "axum: v1 → now
                 instructions                time
  bare  1,000 → 900 (-10.0 %)  × 0.50 (0.50–0.50)
";
        let tables = comparison.tables();
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].plain(), plain);
    }
}
