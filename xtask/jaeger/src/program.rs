//! Finds or builds a Jaeger.

use std::env::{self, consts::EXE_SUFFIX};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::go::{self, GoVersion};

/// The version that is built if none is found.
pub const VERSION: &str = "v1.76.0";

/// Returns a Jaeger: the `jaeger` on the `PATH`, else the one that was built before, else a new one that is built with
/// Go.
///
/// The program is kept in `target/jaeger/<version>` below `root`, the repository's folder. A build prints what it does
/// and how long it takes.
///
/// # Errors
///
/// Returns an error with the remedy if there is neither a Jaeger nor a Go that can build one, or if building fails.
pub fn find(root: &Path) -> Result<PathBuf, String> {
    if let Some(program) = on_path(&env::var_os("PATH").unwrap_or_default()) {
        return Ok(program);
    }
    let built = root
        .join("target/jaeger")
        .join(VERSION)
        .join(format!("jaeger{EXE_SUFFIX}"));
    if built.is_file() {
        return Ok(built);
    }
    let remedy = format!(
        "put a jaeger (2.2 or newer) on the PATH, or install Go {} or newer, which builds one",
        GoVersion::LEAST
    );
    match GoVersion::installed() {
        Some(version) if version >= GoVersion::LEAST => {}
        Some(version) => {
            return Err(format!(
                "there is no jaeger, and Go {version} is too old to build one: {remedy}"
            ));
        }
        None => return Err(format!("there is neither a jaeger nor Go: {remedy}")),
    }
    println!(
        "there is no jaeger on the PATH: building Jaeger {VERSION} with Go, once. It takes about 5 minutes on two processors, \
         and 3 GB in Go's own caches if they have nothing of it; the program is kept as {}",
        built.display()
    );
    let start = Instant::now();
    go::build(VERSION, &built)?;
    let size = fs::metadata(&built).map_or(0, |file| file.len() / 1_000_000);
    println!(
        "built Jaeger {VERSION}, {size} MB, in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    Ok(built)
}

/// Returns the first program called `jaeger` in the folders of a `PATH`.
#[must_use]
pub fn on_path(path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join(format!("jaeger{EXE_SUFFIX}")))
        .find(|program| is_executable(program))
}

#[cfg(unix)]
fn is_executable(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    fs::metadata(program).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(program: &Path) -> bool {
    program.is_file()
}
