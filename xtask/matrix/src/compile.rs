//! Builds the example services.

use std::collections::BTreeMap;
use std::env;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::Message;

use crate::framework::Framework;

/// The programs, by framework.
pub(crate) type Programs = BTreeMap<Framework, PathBuf>;

/// Builds each example by a command of its own: one command for all would turn on, in each, the features that any of them
/// asks of a common dependency, and so hide that one forgot to ask.
pub(crate) fn examples(root: &Path) -> Result<Programs, String> {
    Framework::ALL
        .into_iter()
        .map(|framework| Ok((framework, build(root, &framework.package())?)))
        .collect()
}

fn build(root: &Path, package: &str) -> Result<PathBuf, String> {
    println!("building {package} …");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--package",
            package,
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo does not start: {error}"))?;

    let mut program = None;
    if let Some(messages) = cargo.stdout.take() {
        for message in Message::parse_stream(BufReader::new(messages)) {
            match message {
                Ok(Message::CompilerArtifact(artifact)) if artifact.target.is_bin() => {
                    program = artifact.executable.map(PathBuf::from).or(program);
                }
                Ok(_) => {}
                Err(error) => {
                    return Err(format!(
                        "what cargo says of {package} cannot be read: {error}"
                    ));
                }
            }
        }
    }
    let status = cargo.wait().map_err(|error| format!("cargo: {error}"))?;
    match program {
        Some(program) if status.success() => Ok(program),
        _ => Err(format!(
            "{package} does not build: cargo ended with {status}"
        )),
    }
}
