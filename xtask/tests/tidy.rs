//! Rules for the repository that reviewers would otherwise have to repeat.

use std::fs;
use std::path::{Path, PathBuf};

/// Adapters to tracers; all others are adapters to frameworks.
const TRACERS: [&str; 4] = ["jaeger", "opentelemetry", "otlp", "tracing"];

/// Packages that the examples share, or that compile the README's samples; they have no programs.
const SUPPORT: [&str; 3] = ["contract", "readme", "shared"];

/// Maximum number of lines of a file.
const LONGEST_FILE: usize = 600;

#[test]
fn every_adapter_has_a_readme() {
    for adapter in folders("adapters") {
        exists(&adapter.join("README.md"));
    }
}

#[test]
fn framework_adapters_have_the_same_file_names() {
    for adapter in folders("adapters")
        .into_iter()
        .filter(|adapter| !TRACERS.contains(&name(adapter)))
    {
        exists(&adapter.join("src/request.rs"));
        exists(&adapter.join("tests/contract.rs"));
        // A tower service has no extractors.
        if name(&adapter) != "tower" {
            exists(&adapter.join("src/extract.rs"));
        }
        let hook = ["layer.rs", "middleware.rs", "filter.rs", "fairing.rs"];
        assert!(
            hook.iter()
                .any(|hook| adapter.join("src").join(hook).is_file()),
            "{} has none of {hook:?}",
            shown(&adapter),
        );
    }
}

/// The core decides, adapters translate.
#[test]
fn framework_adapters_contain_no_tag_names_and_no_status_rules() {
    let tags = [
        "\"http.",
        "\"span.kind\"",
        "\"component\"",
        "\"error\"",
        "\"peer.",
        "\"event\"",
    ];
    for adapter in folders("adapters")
        .into_iter()
        .filter(|adapter| !TRACERS.contains(&name(adapter)))
    {
        for file in files(&adapter.join("src"), "rs") {
            for (number, line) in code(&file) {
                let line_name = format!("{}:{number}", shown(&file));
                for tag in tags {
                    assert!(!line.contains(tag), "{line_name} names a tag: {line}");
                }
                let words: Vec<_> = line
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .collect();
                let judges = line.contains("status")
                    && ["<", ">", "=="].iter().any(|sign| line.contains(sign));
                assert!(
                    !(judges && words.contains(&"500")),
                    "{line_name} judges a status: {line}"
                );
                assert!(
                    !words.contains(&"is_server_error"),
                    "{line_name} judges a status: {line}"
                );
                for clock in ["Instant::now", "SystemTime::now"] {
                    assert!(!line.contains(clock), "{line_name} takes the time: {line}");
                }
            }
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = files(&root(), "rs")
        .into_iter()
        .map(|file| (shown(&file), read(&file).lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines: {long:?}");
}

#[test]
fn the_readme_mentions_all_folders_and_what_exists() {
    let readme = read(&root().join("README.md"));
    for parent in ["adapters", "examples"] {
        for folder in folders(parent)
            .iter()
            .filter(|folder| !SUPPORT.contains(&name(folder)))
        {
            let folder = format!("{parent}/{}", name(folder));
            assert!(
                readme.contains(&folder),
                "README.md does not mention {folder}"
            );
        }
        for rest in readme.split(&format!("{parent}/")).skip(1) {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c))
                .unwrap_or(rest.len());
            let entry = format!("{parent}/{}", &rest[..end]);
            assert!(
                root().join(&entry).exists(),
                "README.md mentions {entry}, which is not there"
            );
        }
    }
}

/// A code host shows the lines that rustdoc hides, and readers copy them.
#[test]
fn pages_hide_no_line_of_their_samples() {
    let mut hidden = Vec::new();
    for page in files(&root(), "md") {
        for (number, line) in samples(&read(&page), Some) {
            if is_hidden(line) {
                hidden.push(format!("{}:{number}: {line}", shown(&page)));
            }
        }
    }
    assert!(hidden.is_empty(), "hidden lines: {hidden:#?}");
}

/// Readers cannot find a name that a hidden line imports, least of all under an alias.
#[test]
fn hidden_lines_of_examples_import_nothing() {
    let mut hidden = Vec::new();
    for file in files(&root(), "rs") {
        for (number, line) in samples(&read(&file), doc_comment) {
            let imports = line.contains("use ") || line.contains(" as ");
            if is_hidden(line) && imports {
                hidden.push(format!("{}:{number}: {line}", shown(&file)));
            }
        }
    }
    assert!(hidden.is_empty(), "hidden imports: {hidden:#?}");
}

#[test]
fn every_page_with_samples_is_compiled() {
    // Put together, so that this file does not find itself.
    let include = format!("doc = {}!(\"", "include_str");
    let mut compiled = Vec::new();
    for file in files(&root(), "rs") {
        let folder = file.parent().expect("a folder");
        for rest in read(&file).split(&include).skip(1) {
            let page = folder.join(rest.split('"').next().expect("a path"));
            compiled.push(page.canonicalize().expect("a page that exists"));
        }
    }
    for page in files(&root(), "md") {
        let text = read(&page);
        if samples(&text, Some).next().is_some() {
            let page = page.canonicalize().expect("a page that exists");
            assert!(compiled.contains(&page), "no doctest has {}", shown(&page));
            let ignored = |line: &str| line.starts_with("```") && line.contains("ignore");
            assert!(
                !text.lines().any(ignored),
                "{} has a sample that no doctest compiles",
                shown(&page)
            );
        }
    }
}

#[test]
fn no_file_contains_a_path_of_a_developers_machine() {
    // Put together, so that this file does not find itself.
    let paths = ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    for extension in ["rs", "md", "toml", "css", "yml", "yaml", "json"] {
        for file in files(&root(), extension) {
            let text = read(&file);
            for path in &paths {
                let found = text
                    .match_indices(path.as_str())
                    .any(|(at, _)| is_start(&text[..at]));
                assert!(!found, "{} has {path} in it", shown(&file));
            }
        }
    }
}

/// Returns `true` if a path may start after this text. A folder within another path or address is not a start.
fn is_start(before: &str) -> bool {
    before
        .chars()
        .next_back()
        .is_none_or(|c| c.is_whitespace() || "\"'`(=:".contains(c))
}

/// Returns the lines of the Rust samples in a page, or in the documentation comments of a file, numbered from 1.
fn samples<'a>(
    text: &'a str,
    documentation: impl Fn(&'a str) -> Option<&'a str>,
) -> impl Iterator<Item = (usize, &'a str)> {
    let mut block: Option<bool> = None;
    let lines = text.lines().enumerate();
    lines.filter_map(move |(index, line)| {
        let Some(line) = documentation(line).map(str::trim) else {
            block = None;
            return None;
        };
        if let Some(language) = line.strip_prefix("```") {
            block = match block {
                Some(_) => None,
                None => Some(is_rust(language)),
            };
            return None;
        }
        block.is_some_and(|rust| rust).then_some((index + 1, line))
    })
}

/// Returns `true` if rustdoc compiles a block with this language.
fn is_rust(language: &str) -> bool {
    let first = language.split([',', ' ']).next().unwrap_or_default();
    let own = [
        "",
        "rust",
        "no_run",
        "should_panic",
        "ignore",
        "compile_fail",
    ];
    own.contains(&first)
}

/// Returns `true` if rustdoc hides this line of a sample.
fn is_hidden(line: &str) -> bool {
    line == "#" || line.starts_with("# ")
}

/// Returns the text of a documentation comment's line.
fn doc_comment(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("///")
        .or_else(|| line.strip_prefix("//!"))
}

/// Returns the lines that are neither comments nor a field's name in `Debug`, numbered from 1.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = read(file);
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim().to_owned()));
    lines
        .filter(|(_, line)| !line.starts_with("//") && !line.starts_with(".field("))
        .collect()
}

/// Returns the files with an extension, in a folder and those below it.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            if !["target", ".git"].contains(&name(&path)) {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// Returns the packages in one of the repository's folders.
fn folders(parent: &str) -> Vec<PathBuf> {
    let folders = entries(&root().join(parent));
    let folders: Vec<_> = folders
        .into_iter()
        .filter(|path| path.join("Cargo.toml").is_file())
        .collect();
    assert!(!folders.is_empty(), "{parent} has no packages");
    folders
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", shown(folder)));
    let mut entries: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    entries.sort();
    entries
}

fn exists(file: &Path) {
    assert!(file.is_file(), "{} is missing", shown(file));
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", shown(file)))
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("a name in UTF-8")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a folder above")
        .to_owned()
}
