//! The migration page shows the services of this package.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A port whose program and manifest are shown as differences, with its row of the page's table.
struct Port {
    folder: &'static str,
    row: &'static str,
}

const PORTS: [Port; 3] = [
    Port {
        folder: "axum-tracing-opentelemetry",
        row: "| axum-tracing-opentelemetry 0.42 | 6 (4) | 3 (2) |",
    },
    Port {
        folder: "tracing-actix-web",
        row: "| tracing-actix-web 0.7 | 8 (6) | 3 (2) |",
    },
    Port {
        folder: "trace-layer",
        row: "| tower-http's `TraceLayer` 0.7 | 7 (10) | 3 (2) |",
    },
];

/// Two texts as lines: those of both, those that are removed, those that are added.
struct Diff {
    text: String,
    added: usize,
    removed: usize,
}

/// Compares two texts by their longest common subsequence of lines.
fn diff(before: &str, after: &str) -> Diff {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    // `common[i][j]` is the length of the longest common subsequence of `before[i..]` and `after[j..]`.
    let mut common = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            common[i][j] = match before[i] == after[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    while i < before.len() || j < after.len() {
        let is_common = i < before.len() && j < after.len() && before[i] == after[j];
        let is_removed =
            j == after.len() || (i < before.len() && common[i + 1][j] >= common[i][j + 1]);
        let (sign, line) = match (is_common, is_removed) {
            (true, _) => (' ', before[i]),
            (false, true) => ('-', before[i]),
            (false, false) => ('+', after[j]),
        };
        i += usize::from(sign != '+');
        j += usize::from(sign != '-');
        let _ = writeln!(text, "{}", format!("{sign}{line}").trim_end());
    }
    let both = common[0][0];
    Diff {
        text,
        added: after.len() - both,
        removed: before.len() - both,
    }
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    read("../../adapters/MIGRATING.md")
}

/// Returns the difference of the two versions of a file.
fn of_port(folder: &str, extension: &str) -> Diff {
    let version = |version| read(format!("{folder}/{version}.{extension}"));
    diff(&version("before"), &version("after"))
}

fn assert_shown(page: &str, language: &str, text: &str) {
    let block = format!("```{language}\n{text}```\n");
    assert!(
        page.contains(&block),
        "the page has no such block:\n{block}"
    );
}

#[test]
fn page_shows_the_differences_of_programs_and_manifests() {
    let page = page();
    for Port { folder, row } in PORTS {
        let (program, manifest) = (of_port(folder, "rs"), of_port(folder, "toml"));
        for diff in [&manifest, &program] {
            assert_shown(&page, "diff", &diff.text);
        }
        let counts = format!(
            "| {} ({}) | {} ({}) |",
            program.added, program.removed, manifest.added, manifest.removed
        );
        assert!(row.ends_with(&counts), "{folder}: {counts}");
        assert!(page.contains(row), "the page lacks: {row}");
    }
}

#[test]
fn port_from_axum_tracing_opentelemetry_changes_at_most_ten_lines_of_program_and_manifest() {
    let changed = ["rs", "toml"].map(|file| of_port("axum-tracing-opentelemetry", file));
    let added: usize = changed.iter().map(|diff| diff.added).sum();
    let removed: usize = changed.iter().map(|diff| diff.removed).sum();
    assert!(added <= 10 && removed <= 10, "{added} and {removed}");
}

#[test]
fn page_shows_the_service_in_python_and_its_port() {
    let page = page();
    assert_shown(&page, "python", &read("flask-opentracing/before.py"));
    assert_shown(&page, "toml", &read("flask-opentracing/after.toml"));
    assert_shown(&page, "rust,no_run", &read("flask-opentracing/after.rs"));
}

#[test]
fn this_package_depends_on_what_the_ports_depend_on() {
    let own = read("Cargo.toml");
    let (_, own) = own.split_once("[dependencies]\n").expect("dependencies");
    let folders = PORTS
        .iter()
        .map(|port| port.folder)
        .chain(["flask-opentracing"]);
    for folder in folders {
        for line in read(format!("{folder}/after.toml")).lines().skip(1) {
            let (name, _) = line.split_once(" = ").expect("a dependency");
            let is_own = own
                .lines()
                .any(|own| own.split(['.', ' ']).next() == Some(name));
            assert!(is_own, "{folder}: {name}");
        }
    }
}

#[test]
fn difference_of_two_texts_is_one_of_lines() {
    let Diff {
        text,
        added,
        removed,
    } = diff("a\nb\nc\nd\n", "a\nx\ny\nd\n\ne\n");
    assert_eq!(text, " a\n-b\n-c\n+x\n+y\n d\n+\n+e\n");
    assert_eq!((added, removed), (4, 2));
}
