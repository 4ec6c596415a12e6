//! Finds the test targets that run a contract.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, PackageId};

use crate::contract::{CONTRACTS, Contract};
use crate::filter::Filter;

/// A test target whose source calls one of the kit's macros.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) package: PackageId,
    /// The package's folder, which tests expect to be the current one.
    pub(crate) directory: PathBuf,
    pub(crate) name: String,
    pub(crate) contracts: Vec<&'static Contract>,
}

impl Target {
    /// Returns the name of the package's folder, the column's name.
    pub(crate) fn folder(&self) -> &str {
        let folder = self.directory.file_name().and_then(OsStr::to_str);
        folder.unwrap_or(&self.name)
    }

    /// Returns the name of a case, for filters and output.
    pub(crate) fn case(&self, contract: &Contract, name: &str) -> String {
        format!("{} contract {} {name}", contract.name, self.folder())
    }

    /// Returns `true` if the filter selects one of its cases.
    fn is_taken(&self, filter: &Filter) -> bool {
        self.contracts.iter().any(|contract| {
            let mut names = contract.names();
            names.any(|name| filter.takes(&self.case(contract, name)))
        })
    }
}

/// Returns the targets of the workspace that have a case that the filter selects.
pub(crate) fn targets(root: &Path, filter: &Filter) -> Result<Vec<Target>, String> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let mut targets = Vec::new();
    for package in metadata.workspace_packages() {
        let folder = package
            .manifest_path
            .parent()
            .unwrap_or(&package.manifest_path);
        for target in package.targets.iter().filter(|target| target.is_test()) {
            let contracts = contracts(target.src_path.as_std_path())?;
            let target = Target {
                package: package.id.clone(),
                directory: folder.into(),
                name: target.name.clone(),
                contracts,
            };
            if target.is_taken(filter) {
                targets.push(target);
            }
        }
    }
    Ok(targets)
}

/// Returns the contracts whose macros a target's source calls.
fn contracts(source: &Path) -> Result<Vec<&'static Contract>, String> {
    let mut text = String::new();
    for file in files(source)? {
        text.push_str(&read(&file)?);
    }
    let called = |contract: &&Contract| calls(&text, contract.name);
    Ok(CONTRACTS.iter().filter(called).collect())
}

/// Returns the files of a target: its own, or all in its folder.
fn files(source: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = source.parent().unwrap_or(source);
    if source.file_name() != Some(OsStr::new("main.rs")) {
        return Ok(vec![source.to_owned()]);
    }
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.map_while(Result::ok).map(|entry| entry.path());
    Ok(paths
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .collect())
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Returns `true` if a source calls the macro of a contract, outside of comments.
fn calls(text: &str, contract: &str) -> bool {
    let call = format!("{contract}_contract!(");
    let is_path = |text: &str| text.split("::").all(|part| part.chars().all(is_of_name));
    text.lines().any(|line| {
        let before = line.trim_start().split_once(&call);
        before.is_some_and(|(path, _)| path.is_empty() || (path.ends_with("::") && is_path(path)))
    })
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_from_an_import_and_a_comment() {
        assert!(calls("mod a {\n    server_contract!(Server);\n}", "server"));
        assert!(calls(
            "opentracing_testkit::server_contract!(Server);",
            "server"
        ));
        assert!(calls("        super::server_contract!($server);", "server"));
        assert!(!calls("a_server_contract!(Server);", "server"));
        assert!(!calls(
            "use opentracing_testkit::server_contract;",
            "server"
        ));
        assert!(!calls("/// server_contract!(Server);", "server"));
        assert!(!calls("tracer_contract!(Backend);", "server"));
    }
}
