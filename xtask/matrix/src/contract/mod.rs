//! The contracts that every adapter, tracer and format passes, case by case.
//!
//! A column of a contract's table is a module of a test program that the kit's macro has filled. They are discovered,
//! not listed: any test target that calls one of the macros is built and run.

mod column;
mod libtest;
mod program;
mod target;

use std::path::Path;

use opentracing_testkit::{policy, propagation, server, service, tracer};

use crate::filter::Filter;
use crate::{parallel, terminal};

pub(crate) use self::column::{Column, Lack, Verdict, words};
pub(crate) use self::program::Program;
pub(crate) use self::target::{Target, targets};

/// Number of programs that run at the same time; each runs its cases on several threads.
const AT_ONCE: usize = 2;

/// One of the kit's lists of cases.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contract {
    /// The first part of the macro's name.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What it checks, in one sentence.
    pub(crate) about: &'static str,
    /// The names of the cases, by group.
    pub(crate) cases: &'static [(&'static str, &'static [&'static str])],
}

/// All contracts, in the order of the page.
pub(crate) static CONTRACTS: [Contract; 5] = [
    Contract {
        name: "server",
        title: "Contract of the frameworks",
        about: "The spans that an adapter creates for a framework: each case starts a real server and calls it over sockets.",
        cases: server::CASES,
    },
    Contract {
        name: "policy",
        title: "Contract of the policy",
        about: "What no framework can influence: it is run once, against a server of the kit's own.",
        cases: policy::CASES,
    },
    Contract {
        name: "tracer",
        title: "Contract of the tracers",
        about: "The spans that a backend receives from a tracer.",
        cases: tracer::CASES,
    },
    Contract {
        name: "propagation",
        title: "Contract of the formats",
        about: "How a format reads and writes the headers that carry a trace between services.",
        cases: propagation::CASES,
    },
    Contract {
        name: "service",
        title: "Contract of the services",
        about: "The spans of a complete service: each example as a process, called over HTTP.",
        cases: service::CASES,
    },
];

/// The results of the contracts.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) columns: Vec<Column>,
    /// Problems that do not belong to a case.
    pub(crate) problems: Vec<String>,
}

impl Contract {
    /// Returns the names of all cases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.cases
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
    }
}

impl Results {
    /// Returns the columns of one contract.
    pub(crate) fn of(&self, contract: &'static Contract) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(move |column| column.contract == contract)
    }

    /// Returns how many cases passed, and how many were to run.
    pub(crate) fn score(&self) -> (usize, usize) {
        let scores = self.columns.iter().map(Column::score);
        scores.fold((0, 0), |sum, score| (sum.0 + score.0, sum.1 + score.1))
    }

    pub(crate) fn good(&self) -> bool {
        let (passed, all) = self.score();
        passed == all && self.problems.is_empty()
    }
}

/// Runs the programs, and prints a line for each column.
pub(crate) fn run(programs: Vec<Program>, filter: &Filter, logs: &Path) -> Results {
    if !programs.is_empty() {
        println!("running the contracts …");
    }
    let done = parallel::each(programs, AT_ONCE, |program| {
        let done = program.run(filter, logs);
        terminal::columns(&done.columns);
        done
    });
    let mut results = Results::default();
    for program in done {
        results.columns.extend(program.columns);
        results.problems.extend(program.problems);
    }
    results.columns.sort_by_key(Column::place);
    results
}
