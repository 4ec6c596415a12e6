//! The packages that a package depends on, as its page lists them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The rows of the table in `adapters/otlp/README.md`, each with its features.
const ROWS: [(&str, &[&str]); 6] = [
    ("none", &["--no-default-features"]),
    ("`http`, the default", &[]),
    ("`http`, `gzip`", &["--features=gzip"]),
    ("`http`, `tls`", &["--features=tls"]),
    ("`grpc`", &["--no-default-features", "--features=grpc"]),
    ("all", &["--all-features"]),
];

#[test]
fn page_of_otlp_lists_the_packages_of_its_features() {
    let page = root().join("adapters/otlp/README.md");
    let page = fs::read_to_string(page).expect("the page of OTLP");
    for (row, features) in ROWS {
        let count = packages("opentracing-otlp", features).len();
        let line = format!("| {row} | {count} |");
        assert!(page.contains(&line), "the page of OTLP lacks: {line}");
    }
    let core = packages("opentracing-http", &[]).len();
    let words = format!("the {core} of opentracing-http");
    assert!(page.contains(&words), "the page of OTLP lacks: {words}");
}

#[test]
fn otlp_is_built_without_open_telemetry() {
    let packages = packages("opentracing-otlp", &["--all-features"]);
    assert!(packages.iter().any(|name| name.starts_with("tonic ")));
    let found: Vec<_> = packages
        .iter()
        .filter(|name| name.starts_with("opentelemetry"))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The names and versions of all that is built with a package.
fn packages(package: &str, features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--locked", "--edges=normal", "--prefix=none"])
        .args(["--package", package])
        .args(features)
        .output()
        .expect("cargo runs");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {problem}");
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines = lines.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
