//! Runs other programs in the repository's root.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs cargo with these arguments and variables; its output is not captured.
pub(crate) fn cargo(
    arguments: &[impl AsRef<str>],
    variables: &[(&str, &str)],
) -> Result<(), Problem> {
    let status = command(arguments)
        .envs(variables.iter().copied())
        .status()
        .map_err(|error| Problem(format!("cargo does not start: {error}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(Problem(format!("{} ended with {status}", line(arguments)))),
    }
}

/// Replaces this process by cargo if the system supports that: ending the one then ends the other.
pub(crate) fn become_cargo(arguments: &[impl AsRef<str>]) -> Result<(), Problem> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;

        let error = command(arguments).exec();
        Err(Problem(format!("cargo does not start: {error}")))
    }
    #[cfg(not(unix))]
    cargo(arguments, &[])
}

/// Runs cargo and returns its output.
pub(crate) fn cargo_output(arguments: &[impl AsRef<str>]) -> Result<String, Problem> {
    let output = command(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Problem(format!("cargo does not start: {error}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Problem(format!(
            "{} ended with {}",
            line(arguments),
            output.status
        ))),
    }
}

/// Returns the repository's root.
pub(crate) fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    let here = PathBuf::from(here);
    here.parent().unwrap_or(Path::new(".")).to_owned()
}

/// Returns the command as it is typed.
pub(crate) fn line(arguments: &[impl AsRef<str>]) -> String {
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    format!("cargo {}", arguments.join(" "))
}

fn command(arguments: &[impl AsRef<str>]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(arguments.iter().map(AsRef::as_ref))
        .current_dir(root());
    cargo
}
