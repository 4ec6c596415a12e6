//! The results of a run.

use crate::cell::Result;
use crate::contract::Results;
use crate::real::{Outcome, Through};

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) results: Vec<Result>,
    pub(crate) contracts: Results,
    /// The tracer contract's cases through a real Jaeger.
    pub(crate) through: Vec<Through>,
    /// Why there is no real Jaeger, if one was requested if possible.
    pub(crate) skipped: Option<String>,
    /// Problems that do not belong to a cell.
    pub(crate) problems: Vec<String>,
    pub(crate) seconds: f64,
}

impl Matrix {
    /// Returns how many cells hold.
    pub(crate) fn holding(&self) -> usize {
        let results = self.results.iter();
        results.filter(|result| result.failure().is_none()).count()
    }

    /// Returns `true` if all holds.
    pub(crate) fn good(&self) -> bool {
        self.holding() == self.results.len()
            && self.problems.is_empty()
            && self.contracts.good()
            && self
                .through
                .iter()
                .all(|through| through.failure().is_none())
    }

    /// Returns the problems that do not belong to a cell or case.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &String> {
        self.problems.iter().chain(&self.contracts.problems)
    }

    /// Returns the result in words.
    pub(crate) fn verdict(&self) -> String {
        let cells = (!self.results.is_empty()).then(|| {
            let (holding, all) = (self.holding(), self.results.len());
            format!("{holding} of {all} cells hold")
        });
        let cases = (!self.contracts.columns.is_empty()).then(|| {
            let (passed, all) = self.contracts.score();
            format!("{passed} of {all} cases of the contracts pass")
        });
        let through = (!self.through.is_empty()).then(|| {
            let failing = |through: &&Through| through.failure().is_some();
            let lost = |through: &&Through| matches!(through.outcome, Outcome::Lost(_));
            let all = self.through.len();
            let failed = self.through.iter().filter(failing).count();
            let lost = self.through.iter().filter(lost).count();
            let holding = all - failed - lost;
            let lost = match lost {
                0 => String::new(),
                lost => format!(" (Jaeger itself loses {lost})"),
            };
            format!("{holding} of {all} cases of a tracer hold through a real Jaeger{lost}")
        });
        let verdicts: Vec<_> = cells.into_iter().chain(cases).chain(through).collect();
        match verdicts.as_slice() {
            [] => "nothing was run".to_owned(),
            verdicts => verdicts.join(", "),
        }
    }
}
