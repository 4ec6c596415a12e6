//! A column of a contract's table: a framework, a tracer or a format, with its results.

use std::collections::BTreeMap;

use crate::contract::libtest::Test;
use crate::contract::{Contract, Target};
use crate::filter::Filter;

/// The first columns; the others follow in the order of their names.
const ORDER: [&str; 6] = ["core", "tower", "axum", "actix-web", "warp", "rocket"];

/// The test that prints what a column lacks.
const DECLARATION: &str = "declares_its_capabilities";

/// A framework, a tracer or a format, and the results of its cases.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) contract: &'static Contract,
    /// The package's folder.
    pub(crate) folder: String,
    /// Its name, if several columns have that folder.
    pub(crate) form: Option<String>,
    /// The results of the cases that were to run.
    pub(crate) cases: BTreeMap<&'static str, Verdict>,
    pub(crate) lacks: Vec<Lack>,
    /// Properties that it declares, by name.
    pub(crate) carries: BTreeMap<String, String>,
}

/// The result of a case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed {
        /// The missing features; the case has asserted what happens instead.
        without: Vec<String>,
    },
    Failed(String),
    NotRun,
}

/// A missing feature, and the reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    pub(crate) feature: String,
    pub(crate) reason: String,
}

impl Column {
    /// Returns a name such as `axum`, or `warp filter`.
    pub(crate) fn name(&self) -> String {
        match &self.form {
            Some(form) => format!("{} {form}", self.folder),
            None => self.folder.clone(),
        }
    }

    /// Returns how many cases passed, and how many were to run.
    pub(crate) fn score(&self) -> (usize, usize) {
        let passed = self.cases.values().filter(|verdict| verdict.passed());
        (passed.count(), self.cases.len())
    }

    /// Returns how many cases asserted what happens instead of a missing feature.
    pub(crate) fn fallbacks(&self) -> usize {
        let verdicts = self.cases.values();
        verdicts
            .filter(|verdict| !verdict.without().is_empty())
            .count()
    }

    /// Returns the cases that did not pass, with the reasons.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases
            .iter()
            .filter_map(|(name, verdict)| Some((*name, verdict.failure()?)))
    }

    /// Returns the sort key of the column. Within a program, columns keep the order of the source.
    pub(crate) fn place(&self) -> (usize, String) {
        let place = ORDER.iter().position(|name| *name == self.folder);
        (place.unwrap_or(ORDER.len()), self.folder.clone())
    }
}

impl Verdict {
    pub(crate) fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }

    /// Returns the missing features, if the case passed without them.
    pub(crate) fn without(&self) -> &[String] {
        match self {
            Self::Passed { without } => without,
            Self::Failed(_) | Self::NotRun => &[],
        }
    }

    /// Returns why the case did not pass.
    pub(crate) fn failure(&self) -> Option<&str> {
        match self {
            Self::Passed { .. } => None,
            Self::Failed(message) => Some(message),
            Self::NotRun => Some("not run"),
        }
    }

    fn of(name: &str, test: Option<&Test>) -> Self {
        let Some(test) = test else {
            return Self::NotRun;
        };
        match test.passed {
            Some(true) => {
                let mut without: Vec<_> = test.told("fallback").map(words).collect();
                without.sort();
                without.dedup();
                Self::Passed { without }
            }
            Some(false) => Self::Failed(test.message(name)),
            None => Self::NotRun,
        }
    }
}

/// Returns the modules of a program that a contract's macro has filled: those with at least half of its cases. Other
/// modules with names of the list contain tests of their own.
pub(crate) fn modules(contract: &Contract, tests: &[String]) -> Vec<String> {
    let mut modules: Vec<(&str, usize)> = Vec::new();
    for test in tests {
        let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
        if !contract.names().any(|case| case == name) {
            continue;
        }
        match modules.iter_mut().find(|(other, _)| *other == module) {
            Some((_, count)) => *count += 1,
            None => modules.push((module, 1)),
        }
    }
    let all = contract.names().count();
    modules
        .into_iter()
        .filter(|(_, count)| count * 2 >= all)
        .map(|(module, _)| module.to_owned())
        .collect()
}

/// Returns the column of a module, with the cases that the filter selects. `several` means that the folder has other
/// columns.
pub(crate) fn column(
    contract: &'static Contract,
    target: &Target,
    (module, several): (&str, bool),
    filter: &Filter,
    tests: &BTreeMap<String, Test>,
) -> Column {
    let cases = contract
        .names()
        .filter(|name| filter.takes(&target.case(contract, name)));
    let declared = tests.get(&path(module, DECLARATION));
    let told = |word| declared.into_iter().flat_map(move |test| test.told(word));
    let carries = told("carries").filter_map(|line| line.split_once('\t'));
    Column {
        contract,
        folder: target.folder().to_owned(),
        form: several.then(|| form(module)),
        cases: cases
            .map(|name| {
                let path = path(module, name);
                (name, Verdict::of(&path, tests.get(&path)))
            })
            .collect(),
        lacks: told("lacks").filter_map(Lack::read).collect(),
        carries: carries
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Returns the tests to run for a module: the cases, and the test that prints what is missing.
pub(crate) fn wanted(
    contract: &Contract,
    target: &Target,
    module: &str,
    filter: &Filter,
) -> Vec<String> {
    contract
        .names()
        .filter(|name| filter.takes(&target.case(contract, name)))
        .chain([DECLARATION])
        .map(|name| path(module, name))
        .collect()
}

impl Lack {
    /// Parses a feature, a tab, and the reason.
    fn read(line: &str) -> Option<Self> {
        let (feature, reason) = line.split_once('\t')?;
        Some(Self {
            feature: words(feature),
            reason: reason.to_owned(),
        })
    }
}

fn path(module: &str, name: &str) -> String {
    match module {
        "" => name.to_owned(),
        _ => format!("{module}::{name}"),
    }
}

/// Returns `w3c` for the module `w3c_format`.
fn form(module: &str) -> String {
    let last = module.rsplit("::").next().unwrap_or(module);
    let name = last.strip_suffix("_form").or(last.strip_suffix("_format"));
    name.unwrap_or(last).replace('_', " ")
}

/// Returns `catch layer` for `CatchLayer`.
pub(crate) fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    static SMALL: Contract = Contract {
        name: "small",
        title: "",
        about: "",
        cases: &[("A", &["one", "two"]), ("B", &["three", "four"])],
    };

    fn target() -> Target {
        Target {
            package: cargo_metadata::PackageId {
                repr: String::new(),
            },
            directory: "adapters/warp".into(),
            name: "contract".to_owned(),
            contracts: vec![&SMALL],
        }
    }

    fn passed(output: &str) -> Test {
        Test {
            passed: Some(true),
            output: output.to_owned(),
        }
    }

    #[test]
    fn modules_are_those_with_half_of_a_list() {
        let tests = [
            "a_form::one",
            "a_form::two",
            "a_form::other",
            "own::three",
            "four",
            "two",
            "one",
        ];
        assert_eq!(modules(&SMALL, &tests.map(str::to_owned)), ["a_form", ""]);
    }

    #[test]
    fn a_column_has_a_verdict_on_every_case() {
        let failed = Test {
            passed: Some(false),
            output: "no".to_owned(),
        };
        let declared =
            passed("carries\tresolution\t1ms\nlacks\tCatchLayer\tThere is none.\nsomething else\n");
        let tests = [
            ("a_form::one", passed("")),
            (
                "a_form::two",
                passed("fallback\tTrailers\nfallback\tPeer\nfallback\tTrailers\n"),
            ),
            ("a_form::three", failed),
            ("a_form::declares_its_capabilities", declared),
        ];
        let tests = tests.map(|(name, test)| (name.to_owned(), test)).into();
        let column = column(
            &SMALL,
            &target(),
            ("a_form", true),
            &Filter::new(None),
            &tests,
        );
        assert_eq!(column.name(), "warp a");
        assert_eq!(column.cases["one"].without(), [""; 0]);
        assert_eq!(column.cases["two"].without(), ["peer", "trailers"]);
        assert_eq!(column.cases["three"], Verdict::Failed("no".to_owned()));
        assert_eq!(column.cases["four"], Verdict::NotRun);
        assert_eq!((column.score(), column.fallbacks()), ((2, 4), 1));
        assert_eq!(column.failures().count(), 2);
        let lack = Lack {
            feature: "catch layer".to_owned(),
            reason: "There is none.".to_owned(),
        };
        assert_eq!(column.lacks, [lack]);
        assert_eq!(column.carries["resolution"], "1ms");
    }

    #[test]
    fn a_filter_leaves_the_cases_whose_name_it_has() {
        let filter = Filter::new(Some("warp t"));
        let column = column(&SMALL, &target(), ("", false), &filter, &BTreeMap::new());
        let names: Vec<_> = column.cases.keys().copied().collect();
        assert_eq!(names, ["three", "two"]);
        assert_eq!(column.name(), "warp");
        let wanted = wanted(&SMALL, &target(), "m", &filter);
        assert_eq!(
            wanted,
            ["m::two", "m::three", "m::declares_its_capabilities"]
        );
    }
}
