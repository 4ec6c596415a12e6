//! The words of comments and pages: plain English that a contributor need not guess.

use std::fs;
use std::path::{Path, PathBuf};

/// What is not written, and what to write instead. Letter case does not matter, and only whole words are found.
const FORBIDDEN: [(&str, &str); 24] = [
    ("answers", "returns, or responds"),
    ("as good as unset", "counts as unset"),
    ("asks for it so", "say what is requested"),
    ("dearer", "more expensive"),
    ("far end", "the farthest hop, the receiver, the backend"),
    ("has it so", "say what the specification requires"),
    ("has to say", "contains"),
    ("house format", "your own format"),
    ("in the place of", "instead of, replaces"),
    ("in vain", "timed out, without success"),
    ("inner place", "inner mount point"),
    ("no place", "no room, no position"),
    ("nobody lives", "clamped so that it cannot overflow"),
    ("of one's own", "your own"),
    ("outer place", "outer mount point"),
    ("said so", "name the condition"),
    ("say so", "name the condition"),
    ("says so", "name the condition"),
    ("says whether", "returns `true` if"),
    ("shares its parent's lot", "is recorded if its parent is"),
    ("told so", "propagates `sampled = 0`"),
    ("whoever", "name the reader, the caller or the service"),
    ("whom to tell", "name the receiver"),
    ("whose word counts", "which proxies or callers are trusted"),
];

/// Lines that contain such words and are right, by a part of their text.
const ALLOWED: [&str; 0] = [];

#[test]
fn comments_and_pages_use_plain_words() {
    let mut found = Vec::new();
    for file in files(&root()) {
        let path = shown(&file);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
        let is_page = path.ends_with(".md");
        for (number, word, instead) in forbidden(&text, is_page) {
            found.push(format!("{path}:{number}: \"{word}\"; write: {instead}"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn forbidden_words_are_found_in_comments_and_pages_only() {
    let found = |text: &str, is_page| forbidden(text, is_page).len();
    assert_eq!(found("/// Answers `true`.", false), 1);
    assert_eq!(
        found(&format!("let a = 1; {} Whoever sees it", "//"), false),
        1
    );
    assert_eq!(found("It stands in\nthe place of a value.", true), 1);
    assert_eq!(found("/// Stands in the\n/// place of a value.", false), 1);
    assert_eq!(found("The backend answered in place.", true), 0);
    assert_eq!(found("let answers = \"https://a/answers\";", false), 0);
    assert_eq!(found("/// `unanswers`", false), 0);
}

/// The least number of lines of documentation for each line of code in the core.
const LEAST_DENSITY: f64 = 0.3;

/// Run with `--nocapture` to see the number for each folder.
#[test]
fn core_is_documented_densely() {
    let mut all = (0, 0);
    for entry in fs::read_dir(root().join("core/src")).expect("the core") {
        let folder = entry.expect("a readable folder").path();
        if folder.is_dir() {
            let (documentation, code) = lines(&folder);
            println!("{}: {documentation} for {code}", shown(&folder));
            all = (all.0 + documentation, all.1 + code);
        }
    }
    let density = f64::from(all.0) / f64::from(all.1);
    println!("core/src: {density:.2} lines of documentation for each line of code");
    assert!(
        density >= LEAST_DENSITY,
        "{density:.2} is less than {LEAST_DENSITY}"
    );
}

/// Returns the numbers of lines of documentation and of code in a folder, without tests.
fn lines(folder: &Path) -> (u32, u32) {
    let (mut documentation, mut code) = (0, 0);
    for file in files(folder) {
        let text = fs::read_to_string(&file).expect("a source file");
        let lines = text.lines().map(str::trim);
        for line in lines.take_while(|line| !line.starts_with("#[cfg(test)]")) {
            match line {
                _ if line.starts_with("///") || line.starts_with("//!") => documentation += 1,
                _ if line.is_empty() || line.starts_with("//") => {}
                _ => code += 1,
            }
        }
    }
    (documentation, code)
}

/// Returns the forbidden words of a text, each with the number of the line where it ends.
///
/// Lines that follow each other are read as one text, so that a phrase is also found across their ends.
fn forbidden(text: &str, is_page: bool) -> Vec<(usize, &'static str, &'static str)> {
    let mut found = Vec::new();
    let mut before = String::new();
    for (index, line) in text.lines().enumerate() {
        let prose = if is_page { Some(line) } else { comment(line) };
        let Some(prose) = prose.map(str::trim) else {
            before.clear();
            continue;
        };
        let start = before.len();
        before.push_str(&prose.to_lowercase());
        for (word, instead) in FORBIDDEN {
            let is_new = |at: usize| at + word.len() > start;
            let is_allowed = ALLOWED.iter().any(|allowed| prose.contains(allowed));
            if !is_allowed && positions(&before, word).any(is_new) {
                found.push((index + 1, word, instead));
            }
        }
        before = format!("{} ", prose.to_lowercase());
    }
    found
}

/// Returns where a phrase starts in a text, as whole words.
fn positions<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(phrase)
        .map(|(start, _)| start)
        .filter(move |start| {
            let before = text[..*start].chars().next_back();
            let after = text[start + phrase.len()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
}

/// Returns the comment of a line of Rust, of whatever kind; a `//` in an address is none.
fn comment(line: &str) -> Option<&str> {
    let start = line.match_indices("//").find(|(start, _)| {
        let before = &line[..*start];
        before.trim().is_empty() || before.ends_with(' ')
    });
    start.map(|(start, _)| line[start..].trim_start_matches(['/', '!']))
}

/// Returns the pages and the Rust sources in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            if !["target", ".git"].map(Some).contains(&name) {
                found.extend(files(&path));
            }
        } else if [".md", ".rs"]
            .iter()
            .any(|end| name.is_some_and(|name| name.ends_with(end)))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.display().to_string()
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a folder above").to_owned()
}
