//! All that came of a run.

use crate::cell::Result;
use crate::contract::Results;

/// All that came of a run.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) results: Vec<Result>,
    pub(crate) contracts: Results,
    /// What went wrong besides single cells.
    pub(crate) problems: Vec<String>,
    pub(crate) seconds: f64,
}

impl Matrix {
    /// How many cells hold.
    pub(crate) fn holding(&self) -> usize {
        let results = self.results.iter();
        results.filter(|result| result.failure().is_none()).count()
    }

    /// Whether all holds.
    pub(crate) fn good(&self) -> bool {
        self.holding() == self.results.len() && self.problems.is_empty() && self.contracts.good()
    }

    /// What went wrong besides single cells and cases.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &String> {
        self.problems.iter().chain(&self.contracts.problems)
    }

    /// How it all ended, in words.
    pub(crate) fn verdict(&self) -> String {
        let cells = (!self.results.is_empty()).then(|| {
            let (holding, all) = (self.holding(), self.results.len());
            format!("{holding} of {all} cells hold")
        });
        let cases = (!self.contracts.columns.is_empty()).then(|| {
            let (passed, all) = self.contracts.score();
            format!("{passed} of {all} cases of the contracts pass")
        });
        let verdicts: Vec<_> = cells.into_iter().chain(cases).collect();
        verdicts.join(", ")
    }
}
