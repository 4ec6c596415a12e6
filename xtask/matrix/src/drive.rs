//! Runs the cells.

use std::path::Path;
use std::thread;
use std::time::Instant;

use crate::cell::{Cell, Result};
use crate::compile::Programs;
use crate::downstream::Downstream;
use crate::fleet::{Fleet, FleetKind, Receivers};
use crate::http::Http;
use crate::parallel;
use crate::run::Run;

/// Number of cells of a fleet that run at the same time: most of a cell's time is waiting for spans.
const AT_ONCE: usize = 12;

/// The state that the cells use.
#[derive(Debug)]
pub(crate) struct Driver<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) ends: &'a Receivers,
    pub(crate) logs: &'a Path,
    pub(crate) downstream: &'a Downstream,
    pub(crate) http: &'a Http,
}

impl Driver<'_> {
    /// Starts four services.
    pub(crate) fn start(&self, kind: FleetKind) -> std::result::Result<Fleet, String> {
        Fleet::start(kind, self.programs, self.ends, self.logs)
    }

    /// Runs the cells, one fleet after the other, and returns their results in order.
    ///
    /// # Errors
    ///
    /// Returns an error if a service does not start, or does not stop as it should.
    pub(crate) fn run(&self, cells: &[Cell]) -> std::result::Result<Vec<Result>, String> {
        thread::scope(|scope| {
            let (mut results, mut endings) = (Vec::new(), Vec::new());
            for kind in FleetKind::all() {
                let of_fleet = cells.iter().filter(|cell| cell.fleet == kind).cloned();
                let (stopping, running): (Vec<_>, Vec<_>) =
                    of_fleet.partition(|cell| cell.scenario.stops);
                if stopping.is_empty() && running.is_empty() {
                    continue;
                }
                println!(
                    "starting the services: {} tracer, {} formats …",
                    kind.tracer, kind.format
                );
                let fleet = self.start(kind)?;
                let done = self.run_all(&fleet, running);
                let holding = done
                    .iter()
                    .filter(|result| result.failure().is_none())
                    .count();
                println!("  {holding} of {} cells hold", done.len());
                results.extend(done);
                // Stopping takes time, in which the next services can work.
                endings.push(scope.spawn(move || {
                    let results = self.run_all(&fleet, stopping);
                    fleet.stop().map(|()| results)
                }));
            }
            if !endings.is_empty() {
                println!("waiting for the services to stop …");
            }
            for ending in endings {
                let stopped = ending
                    .join()
                    .unwrap_or_else(|_| Err("a check panicked".to_owned()));
                results.extend(stopped?);
            }
            let place = |result: &Result| {
                cells
                    .iter()
                    .position(|cell| cell.to_string() == result.cell.to_string())
            };
            results.sort_by_cached_key(place);
            Ok(results)
        })
    }

    fn run_all(&self, fleet: &Fleet, cells: Vec<Cell>) -> Vec<Result> {
        parallel::each(cells, AT_ONCE, |cell| self.run_one(fleet, cell))
    }

    fn run_one(&self, fleet: &Fleet, cell: Cell) -> Result {
        let run = Run::new(fleet, self.downstream, self.http);
        let start = Instant::now();
        let outcome = (cell.scenario.check)(&run, &cell.path);
        let duration = start.elapsed();
        let traces = run.into_traces();
        Result {
            cell,
            outcome,
            duration,
            traces: traces
                .into_iter()
                // A trace that cannot be read has failed the check.
                .map(|id| (id, fleet.arrivals.trace(id).unwrap_or_default()))
                .collect(),
        }
    }
}
