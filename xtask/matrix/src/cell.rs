//! The cells of the matrix, and their results.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use xtask_collector::{Span, TraceId};

use crate::expect::{Check, Failure};
use crate::fleet::{FleetKind, Format};
use crate::framework::Framework;
use crate::run::Run;
use crate::{alone, chains, pairs};

/// A scenario that has to hold along a path of frameworks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The expectation, in one sentence.
    pub(crate) about: &'static str,
    pub(crate) check: fn(&Run<'_>, &[Framework]) -> Check,
    /// Whether it stops the services, and so runs after all others.
    pub(crate) stops: bool,
}

/// The paths of a scenario, and so the table that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every caller with every callee.
    Pair,
    /// Every framework by itself.
    Alone,
    /// All four, in every order.
    Chain,
}

/// One scenario, along one path, in one fleet.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) fleet: FleetKind,
    pub(crate) shape: Shape,
    pub(crate) scenario: Scenario,
    pub(crate) path: Vec<Framework>,
}

/// The result of a cell.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) cell: Cell,
    pub(crate) outcome: Check,
    pub(crate) duration: Duration,
    pub(crate) traces: Vec<(TraceId, Vec<Arc<Span>>)>,
}

impl Cell {
    /// Returns all cells of the matrix in order, including those that need a real Jaeger.
    pub(crate) fn all() -> Vec<Self> {
        FleetKind::all().flat_map(Self::of_fleet).collect()
    }

    fn of_fleet(fleet: FleetKind) -> impl Iterator<Item = Self> {
        // Formats affect only how a context is propagated: other scenarios run with the default formats.
        let all = fleet.format == Format::Default;
        let of = move |scenario: &'static [Scenario], everywhere: usize| {
            scenario
                .iter()
                .take(if all { usize::MAX } else { everywhere })
        };
        let pairs =
            of(pairs::SCENARIOS, pairs::WITH_EVERY_FORMAT).map(|scenario| (Shape::Pair, *scenario));
        let chains = of(chains::SCENARIOS, 0).map(|scenario| (Shape::Chain, *scenario));
        let alone = of(alone::SCENARIOS, alone::WITH_EVERY_FORMAT)
            .map(|scenario| (Shape::Alone, *scenario));
        pairs
            .chain(chains)
            .chain(alone)
            .flat_map(move |(shape, scenario)| {
                shape.paths().into_iter().map(move |path| Self {
                    fleet,
                    shape,
                    scenario,
                    path,
                })
            })
    }

    /// Returns the name of its row.
    pub(crate) fn row(&self) -> String {
        format!("{} {}", self.fleet, self.scenario.name)
    }

    /// Returns the name of its column.
    pub(crate) fn column(&self) -> String {
        path_name(&self.path)
    }
}

/// Returns a name such as `axum → rocket`.
pub(crate) fn path_name(path: &[Framework]) -> String {
    path.iter()
        .map(|framework| framework.name())
        .collect::<Vec<_>>()
        .join(" → ")
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.row(), self.column())
    }
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::Pair, Self::Chain, Self::Alone];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Pair => "Caller → callee",
            Self::Alone => "Each framework by itself",
            Self::Chain => "Chains of all four",
        }
    }

    /// Returns the paths of this shape, which are the columns of its table.
    pub(crate) fn paths(self) -> Vec<Vec<Framework>> {
        let mut paths: Vec<Vec<Framework>> = vec![Vec::new()];
        let length = match self {
            Self::Alone => 1,
            Self::Pair => 2,
            Self::Chain => 4,
        };
        for _ in 0..length {
            let extended = paths.iter().flat_map(|path| {
                Framework::ALL
                    .into_iter()
                    // A chain has each framework once, a pair may have the same one twice.
                    .filter(move |next| self != Self::Chain || !path.contains(next))
                    .map(|next| [path.as_slice(), &[next]].concat())
            });
            paths = extended.collect();
        }
        paths
    }
}

impl Result {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref().err()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn paths_are_all_that_there_are() {
        assert_eq!(Shape::Pair.paths().len(), 16);
        assert_eq!(Shape::Chain.paths().len(), 24);
        assert_eq!(Shape::Alone.paths().len(), 4);
    }

    #[test]
    fn no_two_cells_have_the_same_name() {
        let cells = Cell::all();
        let names: HashSet<_> = cells.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), cells.len());
    }
}
