//! Parses the output of a test program with `--show-output`, in its stable form.

use std::collections::BTreeMap;

/// Maximum number of characters of a failure's message: it may contain a whole span.
const LONGEST_MESSAGE: usize = 4_000;

/// The result of one test.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Test {
    /// `None` if it was not run.
    pub(crate) passed: Option<bool>,
    /// Its output.
    pub(crate) output: String,
}

/// Returns the tests in this output, by name.
pub(crate) fn tests(text: &str) -> BTreeMap<String, Test> {
    let mut tests: BTreeMap<String, Test> = BTreeMap::new();
    let mut section: Option<&str> = None;
    for line in text.lines() {
        if let Some(name) = header(line) {
            section = Some(name);
        } else if matches!(line, "successes:" | "failures:") {
            section = None;
        } else if let Some(name) = section {
            let output = &mut tests.entry(name.to_owned()).or_default().output;
            output.push_str(line);
            output.push('\n');
        } else if let Some((name, passed)) = verdict(line) {
            tests.entry(name.to_owned()).or_default().passed = passed;
        }
    }
    tests
}

/// Returns the names in the output of `--list`.
pub(crate) fn list(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect()
}

/// `---- name stdout ----`.
fn header(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// `test name ... ok`.
fn verdict(line: &str) -> Option<(&str, Option<bool>)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    let passed = match verdict {
        "ok" => Some(true),
        "FAILED" => Some(false),
        _ => None,
    };
    Some((name, passed))
}

impl Test {
    /// Why the test of this name failed: what it panicked with, where, and the kit's hint at the capability to declare.
    pub(crate) fn message(&self, name: &str) -> String {
        let thread = format!("thread '{name}' ");
        // Other threads may have panicked, as a case asked them to.
        let start = self.output.rfind(&thread).or(self.output.rfind("thread '"));
        let panic = start.and_then(|start| self.output.get(start..));
        let panic = panic.and_then(|panic| panic.split_once(" panicked at ")?.1.split_once(":\n"));
        let text = match panic {
            Some((place, rest)) => {
                let lines = rest.lines();
                let lines: Vec<_> = lines.take_while(|line| !is_over(line)).collect();
                let hint = rest.lines().find(|line| line.starts_with("hint: "));
                let hint = hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
                format!("{} ({place}){hint}", lines.join("\n").trim_end())
            }
            None => self.output.trim().to_owned(),
        };
        shortened(&text)
    }

    /// What follows a word and a tab, in each line that begins with them, once.
    pub(crate) fn told<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let rest = move |line: &'a str| line.strip_prefix(word)?.strip_prefix('\t');
        self.output.lines().filter_map(rest)
    }
}

/// Whether a panic's message is over with this line.
fn is_over(line: &str) -> bool {
    line.starts_with("note: run with ")
        || line.starts_with("hint: ")
        || line == "stack backtrace:"
        || line.starts_with("thread '")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\nrunning 4 tests
test form::one ... ok
test form::two ... FAILED
test form::three - should panic ... ok
test form::four ... ignored

successes:

---- form::one stdout ----
fallback\tTrailers
fallback\tTrailers
a line of its own

successes:
    form::one
    form::three

failures:

---- form::two stdout ----

thread 'tokio-rt-worker' (7) panicked at tests/contract.rs:1:1:
as asked for
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

thread 'form::two' (8) panicked at src/cases.rs:79:9:
assertion `left == right` failed: url
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
hint: this case relies on `Feature::Peer`

thread 'tokio-rt-worker' (9) panicked at tests/contract.rs:1:1:
as asked for


failures:
    form::two

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn verdicts_are_read() {
        let tests = tests(PRINTED);
        let passed: Vec<_> = tests
            .iter()
            .map(|(name, test)| (name.as_str(), test.passed))
            .collect();
        let expected = [
            ("form::four", None),
            ("form::one", Some(true)),
            ("form::three", Some(true)),
            ("form::two", Some(false)),
        ];
        assert_eq!(passed, expected);
    }

    #[test]
    fn what_a_test_tells_is_read() {
        let tests = tests(PRINTED);
        let told: Vec<_> = tests["form::one"].told("fallback").collect();
        assert_eq!(told, ["Trailers", "Trailers"]);
        assert_eq!(tests["form::three"].output, "");
    }

    #[test]
    fn a_message_is_that_of_the_tests_own_thread() {
        let tests = tests(PRINTED);
        assert_eq!(
            tests["form::two"].message("form::two"),
            "assertion `left == right` failed: url\n  left: 1\n right: 2 (src/cases.rs:79:9)\n\
             hint: this case relies on `Feature::Peer`"
        );
        let silent = Test {
            output: "Error: it returned one\n".to_owned(),
            ..Test::default()
        };
        assert_eq!(silent.message("form::two"), "Error: it returned one");
    }

    #[test]
    fn long_messages_are_cut() {
        let long = Test {
            output: "ä".repeat(LONGEST_MESSAGE + 1),
            ..Test::default()
        };
        assert_eq!(long.message("x").chars().count(), LONGEST_MESSAGE + 2);
    }

    #[test]
    fn a_program_that_breaks_off_leaves_what_it_said() {
        let tests = tests("test one ... ok\ntest two ... ");
        assert_eq!(tests["one"].passed, Some(true));
        assert!(tests.get("two").is_none_or(|test| test.passed.is_none()));
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(
            list("form::one: test\ntwo: test\nb: benchmark\n\n"),
            ["form::one", "two"]
        );
    }
}
