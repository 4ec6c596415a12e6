//! Builds a Jaeger with Go.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use serde_json::Value;

/// Jaeger's module. The last version number of its first line contains the code of Jaeger 2.13.
const MODULE: &str = "github.com/jaegertracing/jaeger";

/// A version of Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoVersion {
    major: u32,
    minor: u32,
}

impl GoVersion {
    /// The oldest version that can build this Jaeger.
    pub const LEAST: Self = Self {
        major: 1,
        minor: 25,
    };

    /// Returns the version of the `go` on the `PATH`.
    pub(crate) fn installed() -> Option<Self> {
        let output = go(&["env", "GOVERSION"])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        String::from_utf8_lossy(&output.stdout).parse().ok()
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Parses the output of `go env GOVERSION`, such as `go1.25.4`, `go1.26rc1` or `devel go1.27-0123456`.
impl FromStr for GoVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (_, version) = text.split_once("go").ok_or(())?;
        let mut parts = version.split(|c: char| !c.is_ascii_digit());
        let mut part = || parts.next()?.parse().ok();
        match (part(), part()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(()),
        }
    }
}

/// Builds this version of Jaeger as the file `program`.
///
/// Go verifies downloads with the checksums in Jaeger's own module, so the build runs in that module's folder.
pub(crate) fn build(version: &str, program: &Path) -> Result<(), String> {
    let folder = program.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let module = download(version)?;

    // An interrupted build leaves no program.
    let part = folder.join(format!("jaeger.{}.part", std::process::id()));
    let status = go(&["build", "-C"])
        .arg(&module)
        .args(["-ldflags", "-s -w", "-o"])
        .arg(&part)
        .arg("./cmd/jaeger")
        .status()
        .map_err(|error| format!("go does not start: {error}"))?;
    if !status.success() {
        let _ = fs::remove_file(&part);
        return Err(format!("go build of Jaeger {version} ended with {status}"));
    }
    fs::rename(&part, program).map_err(|error| format!("{}: {error}", program.display()))
}

/// Downloads the module, and returns its folder.
fn download(version: &str) -> Result<PathBuf, String> {
    let output = go(&["mod", "download", "-json", &format!("{MODULE}@{version}")])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("go does not start: {error}"))?;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match (told["Dir"].as_str(), told["Error"].as_str()) {
        (Some(folder), None) => Ok(folder.into()),
        (_, error) => Err(format!(
            "{MODULE}@{version} cannot be downloaded: {}",
            error.unwrap_or("go mod download tells of no folder")
        )),
    }
}

/// Returns a command of Go that ignores the user's workspaces and flags.
fn go(arguments: &[&str]) -> Command {
    let mut go = Command::new("go");
    go.args(arguments)
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=readonly")
        .stdin(Stdio::null());
    go
}
