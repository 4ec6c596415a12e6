//! Runs a test program.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::contract::column::{column, modules, wanted};
use crate::contract::{Contract, Results, Target, libtest};
use crate::filter::Filter;

/// Maximum time of a program; a case that waits gives up earlier.
const PATIENCE: Duration = Duration::from_secs(180);

/// A test target that is built.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) target: Target,
    pub(crate) path: PathBuf,
}

impl Program {
    /// Runs the cases that the filter selects.
    pub(crate) fn run(&self, filter: &Filter, logs: &Path) -> Results {
        self.try_run(filter, logs).unwrap_or_else(|error| Results {
            problems: vec![format!("{}: {error}", self.path.display())],
            ..Results::default()
        })
    }

    fn try_run(&self, filter: &Filter, logs: &Path) -> io::Result<Results> {
        let log = logs.join(format!(
            "contract-{}-{}.log",
            self.target.folder(),
            self.target.name
        ));
        let (listed, _) = self.output(&["--list", "--format", "terse"], &log)?;
        let listed = libtest::list(&listed);
        let found: Vec<(&'static Contract, Vec<String>)> = self
            .target
            .contracts
            .iter()
            .map(|contract| (*contract, modules(contract, &listed)))
            .collect();

        let mut arguments = vec!["--exact".to_owned(), "--show-output".to_owned()];
        for (contract, modules) in &found {
            for module in modules {
                arguments.extend(wanted(contract, &self.target, module, filter));
            }
        }
        let (printed, status) = self.output(&arguments, &log)?;
        let tests = libtest::tests(&printed);

        let mut results = Results::default();
        for (contract, modules) in found {
            for module in &modules {
                let several = modules.len() > 1;
                results.columns.push(column(
                    contract,
                    &self.target,
                    (module, several),
                    filter,
                    &tests,
                ));
            }
            if modules.is_empty() {
                let (folder, name) = (self.target.folder(), contract.name);
                let problem = format!("{folder} calls {name}_contract! and has none of its cases");
                results.problems.push(problem);
            }
        }
        results.problems.extend(self.problem(&tests, status));
        Ok(results)
    }

    /// Returns a problem that the program's end shows and no case does: it aborted, or a test outside of the cases
    /// failed.
    fn problem(
        &self,
        tests: &BTreeMap<String, libtest::Test>,
        status: ExitStatus,
    ) -> Option<String> {
        let name = format!("contract {}", self.target.folder());
        let declaration = tests.iter().find(|(name, test)| {
            name.ends_with("declares_its_capabilities") && test.passed == Some(false)
        });
        match (declaration, status.code()) {
            (Some((test, failed)), _) => Some(format!("{name}: {}", failed.message(test))),
            // libtest's own statuses: all passed, some failed.
            (None, Some(0 | 101)) => None,
            (None, _) => Some(format!("{name} aborted with {status}")),
        }
    }

    /// Returns the program's output with these arguments, and its status.
    fn output(
        &self,
        arguments: &[impl AsRef<str>],
        log: &Path,
    ) -> io::Result<(String, ExitStatus)> {
        let child = Command::new(&self.path)
            .args(arguments.iter().map(AsRef::as_ref))
            // As cargo runs it.
            .current_dir(&self.target.directory)
            .env("CARGO_MANIFEST_DIR", &self.target.directory)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        finish(child)
    }
}

/// Reads all output of a process, and kills the process if that takes too long.
fn finish(mut child: Child) -> io::Result<(String, ExitStatus)> {
    let (sender, printed) = channel();
    if let Some(mut stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // After an error the output so far is used.
            let _ = stdout.read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
    }
    let bytes = match printed.recv_timeout(PATIENCE) {
        Ok(bytes) => bytes,
        Err(_) => {
            // It fails only if the process has ended.
            let _ = child.kill();
            printed.recv().unwrap_or_default()
        }
    };
    Ok((String::from_utf8_lossy(&bytes).into_owned(), child.wait()?))
}
