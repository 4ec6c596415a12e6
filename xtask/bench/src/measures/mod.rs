//! The measures, each in a file of its own.

pub(crate) mod allocations;
mod callgrind;
mod counters;
pub(crate) mod instructions;
mod load;
pub(crate) mod sockets;
pub(crate) mod threads;
pub(crate) mod time;

use crate::apps::Target;
use crate::case::Case;
use crate::filter::Filter;
use crate::receivers::Addresses;
use crate::results::Measure;

/// What a run is to measure, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) filter: Filter,
    /// Whether few samples are enough.
    pub(crate) few_samples: bool,
    /// Whether the main cases are enough.
    pub(crate) main_cases: bool,
    pub(crate) addresses: Addresses,
}

impl Plan {
    /// Returns the targets and cases to measure. What they are compared with is among them.
    pub(crate) fn cases(
        &self,
        measure: Measure,
        wanted: impl Fn(Target, &Case) -> bool,
    ) -> Vec<(Target, Vec<Case>)> {
        let mut found = Vec::new();
        for target in Target::built() {
            let all = target.cases();
            let name = |case: &Case| format!("{measure} {} {}", target.name(), case.name);
            let is_chosen = |case: &Case| {
                let is_enough = !self.main_cases || case.is_main() || !target.has_requests();
                is_enough && wanted(target, case) && self.filter.matches(&name(case))
            };
            let has_any = all.iter().any(is_chosen);
            let chosen: Vec<_> = all.iter().filter(|case| is_chosen(case)).collect();
            let is_compared = |name| chosen.iter().any(|case| case.bare == name);
            let is_run = |case: &&Case| is_compared(case.name) || is_chosen(case);
            let cases: Vec<_> = all.iter().filter(is_run).copied().collect();
            if has_any {
                found.push((target, cases));
            }
        }
        found
    }
}

/// Tells on the terminal what is being measured.
fn progress(measure: Measure, target: Target) {
    eprintln!("measuring {measure}: {} …", target.name());
}
