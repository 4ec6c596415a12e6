//! Builds the example services and the programs of the contracts.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Artifact, Message};

use crate::contract::{Program, Target};
use crate::framework::Framework;

/// The programs, by framework.
pub(crate) type Programs = BTreeMap<Framework, PathBuf>;

/// Builds each example with a separate command. One command for all would enable, in each, the features that any of
/// them requires of a common dependency, and so hide that one does not declare them.
pub(crate) fn examples(root: &Path) -> Result<Programs, String> {
    Framework::ALL
        .into_iter()
        .map(|framework| Ok((framework, example(root, &framework.package())?)))
        .collect()
}

fn example(root: &Path, package: &str) -> Result<PathBuf, String> {
    println!("building {package} …");
    let artifacts = cargo(root, &["build", "--package", package])?;
    let program = artifacts
        .into_iter()
        .filter(|artifact| artifact.target.is_bin())
        .find_map(|artifact| artifact.executable);
    program
        .map(PathBuf::from)
        .ok_or_else(|| format!("{package} has no program"))
}

/// Builds the contracts with one command for the whole workspace, as `cargo test --workspace` does: after that one
/// nothing is left to build.
pub(crate) fn contracts(root: &Path, targets: &[Target]) -> Result<Vec<Program>, String> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    println!("building the contracts …");
    let mut arguments = vec!["test", "--workspace", "--no-run"];
    let names: BTreeSet<_> = targets.iter().map(|target| target.name.as_str()).collect();
    for name in names {
        arguments.extend(["--test", name]);
    }
    let artifacts = cargo(root, &arguments)?;
    targets
        .iter()
        .map(|target| {
            let is_its = |artifact: &&Artifact| {
                artifact.package_id == target.package
                    && artifact.target.is_test()
                    && artifact.target.name == target.name
            };
            let artifact = artifacts.iter().find(is_its);
            let path = artifact.and_then(|artifact| artifact.executable.clone());
            let path = path.ok_or_else(|| {
                format!("{} has no test program {}", target.folder(), target.name)
            })?;
            Ok(Program {
                target: target.clone(),
                path: path.into(),
            })
        })
        .collect()
}

/// Runs cargo, and returns the artifacts.
fn cargo(root: &Path, arguments: &[&str]) -> Result<Vec<Artifact>, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo does not start: {error}"))?;

    let mut artifacts = Vec::new();
    if let Some(messages) = cargo.stdout.take() {
        for message in Message::parse_stream(BufReader::new(messages)) {
            match message {
                Ok(Message::CompilerArtifact(artifact)) => artifacts.push(artifact),
                Ok(_) => {}
                Err(error) => return Err(format!("cargo's output cannot be read: {error}")),
            }
        }
    }
    let status = cargo.wait().map_err(|error| format!("cargo: {error}"))?;
    match status.success() {
        true => Ok(artifacts),
        false => Err(format!("cargo {} ended with {status}", arguments.join(" "))),
    }
}
