//! The results, as they are written to a file and read from it.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::case::{bare_of, is_hidden};

/// Changes when a file of an older benchmark can no longer be compared.
const FORMAT: u32 = 1;

/// One run of the benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) format: u32,
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    /// What was not measured and why, and other notes for readers of the results.
    pub(crate) notes: Vec<String>,
    pub(crate) cells: Vec<Cell>,
}

/// Where and when it was measured, as a general description.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// As `2026-01-31`.
    pub(crate) date: String,
    pub(crate) system: String,
    pub(crate) cores: usize,
    pub(crate) compiler: String,
    /// How instructions were counted, if they were.
    pub(crate) counter: Option<String>,
}

/// One figure of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) measure: Measure,
    pub(crate) target: String,
    pub(crate) case: String,
    /// One for each round. Samples with the same position were taken in the same round.
    pub(crate) samples: Vec<f64>,
}

/// What is measured, for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Allocations on the request's thread.
    Allocations,
    /// Bytes that a request in flight holds.
    Held,
    /// Instructions on the request's thread.
    Instructions,
    /// Instructions on the threads of the tracer.
    Background,
    /// Nanoseconds without sockets.
    Time,
    /// Nanoseconds of processor time of one thread that calls the application alone.
    OneThread,
    /// Nanoseconds of processor time of each of two threads that call it at the same time.
    TwoThreads,
    /// Requests a second over sockets, served by one thread.
    RequestsOne,
    /// Requests a second over sockets, served by two threads.
    RequestsTwo,
    /// Nanoseconds of the server's processor time over sockets, served by one thread.
    ProcessorOne,
    /// Nanoseconds of the server's processor time over sockets, served by two threads.
    ProcessorTwo,
}

impl Measure {
    /// Returns the name that `--filter` is compared with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Allocations => "allocations",
            Self::Held => "held",
            Self::Instructions | Self::Background => "instructions",
            Self::Time => "time",
            Self::OneThread | Self::TwoThreads => "threads",
            Self::RequestsOne | Self::RequestsTwo | Self::ProcessorOne | Self::ProcessorTwo => {
                "sockets"
            }
        }
    }

    /// Returns `true` if a second run gives the same figure, apart from what hashing by random keys changes.
    pub(crate) const fn is_steady(self) -> bool {
        matches!(
            self,
            Self::Allocations | Self::Held | Self::Instructions | Self::Background
        )
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Results {
    pub(crate) const fn new(machine: Machine, quick: bool) -> Self {
        Self {
            format: FORMAT,
            machine,
            quick,
            notes: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// Adds a sample of one figure.
    pub(crate) fn add(&mut self, measure: Measure, target: &str, case: &str, sample: f64) {
        let is_same = |cell: &&mut Cell| {
            cell.measure == measure && cell.target == target && cell.case == case
        };
        match self.cells.iter_mut().find(is_same) {
            Some(cell) => cell.samples.push(sample),
            None => self.cells.push(Cell {
                measure,
                target: target.to_owned(),
                case: case.to_owned(),
                samples: vec![sample],
            }),
        }
    }

    /// Adds the samples of another run behind those of this one.
    pub(crate) fn extend(&mut self, other: Self) {
        for cell in other.cells {
            for sample in cell.samples {
                self.add(cell.measure, &cell.target, &cell.case, sample);
            }
        }
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Returns the samples of one figure; none, if it was not measured.
    pub(crate) fn samples(&self, measure: Measure, target: &str, case: &str) -> &[f64] {
        let cell = self
            .cells
            .iter()
            .find(|cell| cell.measure == measure && cell.target == target && cell.case == case);
        cell.map_or(&[], |cell| &cell.samples)
    }

    /// Returns the samples of the bare framework that belong to those of a case.
    pub(crate) fn bare(&self, measure: Measure, target: &str, case: &str) -> &[f64] {
        self.samples(measure, target, bare_of(case))
    }

    /// Returns the targets that any of these measures has figures of, in the order of measuring.
    pub(crate) fn targets(&self, measures: &[Measure]) -> Vec<&str> {
        let cells = self.cells.iter();
        distinct(
            cells
                .filter(|cell| measures.contains(&cell.measure))
                .map(|cell| cell.target.as_str()),
        )
    }

    /// Returns the cases of a target that any of these measures has figures of, in the order of measuring,
    /// without those that are only there to be compared with.
    pub(crate) fn cases(&self, measures: &[Measure], target: &str) -> Vec<&str> {
        let cells = self.cells.iter();
        distinct(
            cells
                .filter(|cell| measures.contains(&cell.measure) && cell.target == target)
                .map(|cell| cell.case.as_str())
                .filter(|case| !is_hidden(case)),
        )
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), Problem> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Problem(format!("the results: {error}")))?;
        fs::write(file, text).map_err(|error| Problem(format!("{}: {error}", file.display())))
    }

    pub(crate) fn read(file: &Path) -> Result<Self, Problem> {
        let problem = |error: &dyn fmt::Display| Problem(format!("{}: {error}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| problem(&error))?;
        let results: Self = serde_json::from_str(&text).map_err(|error| problem(&error))?;
        match results.format {
            FORMAT => Ok(results),
            other => Err(problem(&format_args!(
                "results of format {other} cannot be compared with those of format {FORMAT}"
            ))),
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
