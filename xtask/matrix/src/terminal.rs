//! The matrix's output on the terminal.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::{IsTerminal as _, stdout};
use std::path::Path;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use xtask_collector::Span;

use crate::cell::{Result, Shape};
use crate::contract::Column;
use crate::fleet::Fleet;
use crate::framework::Framework;
use crate::matrix::Matrix;
use crate::real::{Outcome, TRANSPORTS, Through};
use crate::waterfall::{duration, lines};

/// Number of failing cells that are printed with their trace; of the others only the names are printed.
const SHOWN_FAILURES: usize = 10;

/// Number of characters of a waterfall's bar.
const BAR: f64 = 48.0;

/// Prints the results of one or more columns of a contract.
pub(crate) fn columns(columns: &[Column]) {
    for column in columns {
        let (passed, all) = column.score();
        let style = match passed == all {
            true => AnsiColor::Green.on_default(),
            false => AnsiColor::Red.on_default().bold(),
        };
        let fallbacks = match column.fallbacks() {
            0 => String::new(),
            count => format!(" ({count} by a fallback)"),
        };
        println!(
            "{} contract {} {}{fallbacks}",
            column.contract.name,
            column.name(),
            styled(format_args!("{passed}/{all}"), style)
        );
    }
}

/// Prints the services' addresses.
pub(crate) fn addresses(fleet: &Fleet) {
    for service in &fleet.services {
        println!("{:10} http://{}", service.framework.name(), service.address);
    }
}

/// Prints which cases of the tracer contract hold through a real Jaeger, a line for each transport.
pub(crate) fn through(all: &[Through]) {
    for transport in TRANSPORTS {
        let of = || all.iter().filter(|through| through.transport == transport);
        let (count, failed) = (of().count(), of().filter_map(Through::failure).count());
        let lost: Vec<_> = of()
            .filter(|through| matches!(through.outcome, Outcome::Lost(_)))
            .map(|through| through.case)
            .collect();
        if count > 0 {
            let style = match failed {
                0 => AnsiColor::Green.on_default(),
                _ => AnsiColor::Red.on_default().bold(),
            };
            let holding = format!("{}/{count}", count - failed - lost.len());
            let lost = match lost.as_slice() {
                [] => String::new(),
                lost => format!(" (Jaeger itself loses {})", lost.join(", ")),
            };
            let name = transport.name;
            println!("tracer contract {name} {}{lost}", styled(holding, style));
        }
    }
}

/// Prints the tables.
pub(crate) fn tables(results: &[Result]) {
    for shape in Shape::ALL {
        let results: Vec<_> = results
            .iter()
            .filter(|result| result.cell.shape == shape)
            .collect();
        if !results.is_empty() {
            table(shape, &results);
        }
    }
}

fn table(shape: Shape, results: &[&Result]) {
    let paths = shape.paths();
    let width = match shape {
        Shape::Pair => 3,
        Shape::Chain => 4,
        Shape::Alone => 10,
    };
    let mut rows: Vec<String> = Vec::new();
    let mut cells: BTreeMap<(String, String), bool> = BTreeMap::new();
    for result in results {
        let row = result.cell.row();
        cells.insert(
            (row.clone(), result.cell.column()),
            result.failure().is_none(),
        );
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }
    let first = rows
        .iter()
        .map(String::len)
        .max()
        .unwrap_or_default()
        .max(24);

    let group = paths.len() / Framework::ALL.len() * width;
    let mut head = format!("\n{:first$}  ", shape.title());
    for framework in Framework::ALL {
        let _ = write!(head, "{:group$} ", framework.name());
    }
    println!(
        "{}",
        styled(head.trim_end(), AnsiColor::BrightWhite.on_default().bold())
    );
    if shape != Shape::Alone {
        let mut head = format!("{:first$}  ", "");
        for (index, path) in paths.iter().enumerate() {
            let rest: String = path
                .iter()
                .skip(1)
                .map(|framework| letter(*framework))
                .collect();
            let _ = write!(head, "{}{rest:width$}", gap(index, &paths));
        }
        println!("{}", head.trim_end());
    }
    for row in rows {
        print!("{row:first$}  ");
        for (index, path) in paths.iter().enumerate() {
            let key = (row.clone(), crate::cell::path_name(path));
            let (mark, style) = match cells.get(&key) {
                Some(true) => ("ok", AnsiColor::Green.on_default()),
                Some(false) => ("NO", AnsiColor::Red.on_default().bold()),
                None => ("-", AnsiColor::BrightBlack.on_default()),
            };
            let rest = width.saturating_sub(mark.len());
            print!("{}{}{:rest$}", gap(index, &paths), styled(mark, style), "");
        }
        println!();
    }
    if shape != Shape::Alone {
        println!("(a axum, c actix-web, w warp, r rocket)");
    }
}

/// Returns a space between the columns of one caller and those of the next.
fn gap<T>(index: usize, paths: &[T]) -> &'static str {
    let group = (paths.len() / Framework::ALL.len()).max(1);
    if index > 0 && index.is_multiple_of(group) {
        " "
    } else {
        ""
    }
}

fn letter(framework: Framework) -> char {
    match framework {
        Framework::Axum => 'a',
        Framework::ActixWeb => 'c',
        Framework::Warp => 'w',
        Framework::Rocket => 'r',
    }
}

/// Prints the waterfall of one chain.
pub(crate) fn example(results: &[Result]) {
    let shown = results.iter().filter(|result| result.failure().is_none());
    let chain = shown
        .clone()
        .find(|result| result.cell.shape == Shape::Chain);
    if let Some(result) = chain.or_else(|| shown.clone().next_back()) {
        for (trace_id, spans) in result.traces.iter().take(1) {
            println!("\nTrace {trace_id} ({})", result.cell);
            waterfall(spans);
        }
    }
}

fn waterfall(spans: &[Arc<Span>]) {
    let (lines, whole) = lines(spans);
    let label =
        |depth: usize, span: &Span| format!("{:1$}{2} {3}", "", depth * 2, span.service, span.name);
    let width = lines
        .iter()
        .map(|line| label(line.depth, line.span).chars().count())
        .max()
        .unwrap_or_default();
    println!("  {:width$}  {:>9}", "", duration(whole));
    for line in &lines {
        // The cast rounds down a number between 0 and the width of the bar.
        let offset = (line.offset * BAR) as usize;
        let length = ((line.width * BAR).round() as usize)
            .clamp(1, (BAR as usize).saturating_sub(offset).max(1));
        let is_error = line.span.tag("error").is_some();
        let style = match is_error {
            true => AnsiColor::Red.on_default(),
            false => AnsiColor::Cyan.on_default(),
        };
        println!(
            "  {:width$}  {:>9}  {:offset$}{}{}",
            label(line.depth, line.span),
            line.span.duration_micros.map(duration).unwrap_or_default(),
            "",
            styled("=".repeat(length), style),
            if is_error { " error" } else { "" },
        );
    }
}

/// Prints every cell and case that does not hold, with the reason.
pub(crate) fn failures(matrix: &Matrix) {
    for column in &matrix.contracts.columns {
        for (case, message) in column.failures() {
            let name = format!("{} contract {} {case}", column.contract.name, column.name());
            let name = styled(name, AnsiColor::Red.on_default().bold());
            println!("\n{name} does not hold: {message}");
        }
    }
    for through in &matrix.through {
        if let Some(message) = through.failure() {
            let name = styled(through, AnsiColor::Red.on_default().bold());
            println!("\n{name} does not hold: {message}");
        }
    }
    let failing = matrix
        .results
        .iter()
        .filter_map(|result| Some((result, result.failure()?)));
    for (index, (result, failure)) in failing.enumerate() {
        let name = styled(&result.cell, AnsiColor::Red.on_default().bold());
        println!("\n{name} does not hold: {}", failure.0);
        if index < SHOWN_FAILURES {
            for (trace_id, spans) in result.traces.iter().filter(|(_, spans)| !spans.is_empty()) {
                println!("Trace {trace_id}");
                waterfall(spans);
            }
        }
    }
}

/// Prints the result of the run.
pub(crate) fn summary(matrix: &Matrix, page: &Path) {
    println!();
    for problem in matrix.problems() {
        println!(
            "{}: {problem}",
            styled("problem", AnsiColor::Red.on_default().bold())
        );
    }
    if let Some(reason) = &matrix.skipped {
        let skipped = styled(
            "skipped: the real Jaeger",
            AnsiColor::Yellow.on_default().bold(),
        );
        println!("{skipped}: {reason}");
    }
    let style = match matrix.good() {
        true => AnsiColor::Green.on_default().bold(),
        false => AnsiColor::Red.on_default().bold(),
    };
    let (verdict, seconds) = (matrix.verdict(), matrix.seconds);
    println!("{} in {seconds:.1} s once built", styled(&verdict, style));
    println!("the page: {}", page.display());
}

/// Adds colours on a terminal.
fn styled(text: impl Display, style: Style) -> String {
    match stdout().is_terminal() {
        true => format!("{style}{text}{style:#}"),
        false => text.to_string(),
    }
}
