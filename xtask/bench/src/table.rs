//! The results as tables of text: for the terminal, for a page of Markdown and for the HTML page.

use std::fmt::Write as _;

use crate::apps::Target;
use crate::case::BARE;
use crate::results::{Measure, Results};
use crate::stats::Spread;

/// A table of text. The first column names the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A column: its heading, and what stands in it for a target and a case.
type Column = (&'static str, fn(&Results, &str, &str) -> Option<String>);

const IN_PROCESS: [Column; 7] = [
    ("allocations", |results, target, case| {
        over_bare(results, Measure::Allocations, target, case, fraction)
    }),
    ("instructions", |results, target, case| {
        over_bare(results, Measure::Instructions, target, case, whole)
    }),
    ("… in the background", |results, target, case| {
        let samples = results.samples(Measure::Background, target, case);
        let median = Spread::of(samples.iter().copied())?.median;
        Some(whole(median))
    }),
    ("nanoseconds", |results, target, case| {
        over_bare(results, Measure::Time, target, case, whole)
    }),
    ("time, of bare", |results, target, case| {
        let is_framework = Target::named(target).is_some_and(Target::is_served);
        of_bare(results, Measure::Time, target, case).filter(|_| is_framework)
    }),
    ("bytes in flight", |results, target, case| {
        over_bare(results, Measure::Held, target, case, whole)
    }),
    (
        "processor time, one thread to two",
        |results, target, case| {
            growth(
                results,
                Measure::OneThread,
                Measure::TwoThreads,
                target,
                case,
            )
        },
    ),
];

const OVER_SOCKETS: [Column; 5] = [
    ("requests/s, one thread", |results, target, case| {
        rate(results, Measure::RequestsOne, target, case)
    }),
    ("processor time", |results, target, case| {
        over_bare(results, Measure::ProcessorOne, target, case, microseconds)
    }),
    ("requests/s, two threads", |results, target, case| {
        rate(results, Measure::RequestsTwo, target, case)
    }),
    ("processor time", |results, target, case| {
        over_bare(results, Measure::ProcessorTwo, target, case, microseconds)
    }),
    ("one thread to two", |results, target, case| {
        growth(
            results,
            Measure::ProcessorOne,
            Measure::ProcessorTwo,
            target,
            case,
        )
    }),
];

/// The measures that are taken in the benchmark's own process, and are a column there.
pub(crate) const PROCESS_MEASURES: [Measure; 7] = [
    Measure::Allocations,
    Measure::Instructions,
    Measure::Background,
    Measure::Time,
    Measure::Held,
    Measure::OneThread,
    Measure::TwoThreads,
];

pub(crate) const SOCKET_MEASURES: [Measure; 4] = [
    Measure::RequestsOne,
    Measure::ProcessorOne,
    Measure::RequestsTwo,
    Measure::ProcessorTwo,
];

/// Returns a table for each target, and one for each target over sockets.
pub(crate) fn tables(results: &Results) -> Vec<Table> {
    let mut tables = Vec::new();
    for (columns, measures, suffix) in [
        (&IN_PROCESS[..], &PROCESS_MEASURES[..], ""),
        (&OVER_SOCKETS[..], &SOCKET_MEASURES[..], ", over sockets"),
    ] {
        for target in results.targets(measures) {
            let cases = results.cases(measures, target);
            let title = format!("{target}{suffix}");
            tables.push(table(title, columns, &cases, |column, case| {
                column.1(results, target, case)
            }));
        }
    }
    tables
}

/// Makes a table of the columns that have a figure in any row.
fn table(
    title: String,
    columns: &[Column],
    cases: &[&str],
    figure: impl Fn(&Column, &str) -> Option<String>,
) -> Table {
    let used = columns.iter().filter(|column| {
        let has_figure = |case: &&str| figure(column, case).is_some();
        cases.iter().any(has_figure)
    });
    let used: Vec<_> = used.collect();
    let head = [""].into_iter().chain(used.iter().map(|column| column.0));
    let rows = cases.iter().map(|case| {
        let figures = used.iter().map(|column| figure(column, case));
        let figures = figures.map(Option::unwrap_or_default);
        [(*case).to_owned()].into_iter().chain(figures).collect()
    });
    Table {
        title,
        head: head.map(str::to_owned).collect(),
        rows: rows.collect(),
    }
}

impl Table {
    /// Returns the table with aligned columns, for a terminal.
    pub(crate) fn plain(&self) -> String {
        let width = |column: usize| {
            let lines = [&self.head].into_iter().chain(&self.rows);
            lines
                .filter_map(|line| line.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        let mut text = format!("{}\n", self.title);
        for line in [&self.head].into_iter().chain(&self.rows) {
            let mut row = String::from("  ");
            for (index, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let _ = match index {
                    0 => write!(row, "{cell:<width$}"),
                    _ => write!(row, "  {cell:>width$}"),
                };
            }
            text.extend([row.trim_end(), "\n"]);
        }
        text
    }

    /// Returns the table as Markdown, under a heading.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("### {}\n\n{}|---|", self.title, line(&self.head));
        text.push_str(&"---:|".repeat(self.head.len().saturating_sub(1)));
        text.push('\n');
        text.extend(self.rows.iter().map(|row| line(row)));
        text
    }
}

/// Returns the figure itself of the bare framework, and the difference to it of every other case.
fn over_bare(
    results: &Results,
    measure: Measure,
    target: &str,
    case: &str,
    show: fn(f64) -> String,
) -> Option<String> {
    let median = |samples: &[f64]| Some(Spread::of(samples.iter().copied())?.median);
    let figure = median(results.samples(measure, target, case))?;
    if case == BARE {
        return Some(show(figure));
    }
    let bare = results.bare(measure, target, case);
    // Of each round by itself: the machine's speed differs from round to round.
    let samples = results.samples(measure, target, case);
    let differences = samples.iter().zip(bare).map(|(sample, bare)| sample - bare);
    let difference = Spread::of(differences)?.median;
    let shown = show(difference.abs());
    Some(match difference {
        _ if shown.trim_matches(['0', '.']).is_empty() => shown,
        difference if difference < 0.0 => format!("−{shown}"),
        _ => format!("+{shown}"),
    })
}

fn of_bare(results: &Results, measure: Measure, target: &str, case: &str) -> Option<String> {
    let samples = results.samples(measure, target, case);
    let spread = Spread::of_ratios(samples, results.bare(measure, target, case));
    spread.filter(|_| case != BARE).map(ratio)
}

/// Returns the bare framework's rate, and the share of it that every other case reaches.
fn rate(results: &Results, measure: Measure, target: &str, case: &str) -> Option<String> {
    match case {
        BARE => {
            let samples = results.samples(measure, target, case);
            Some(whole(Spread::of(samples.iter().copied())?.median))
        }
        _ => of_bare(results, measure, target, case),
    }
}

fn growth(
    results: &Results,
    one: Measure,
    two: Measure,
    target: &str,
    case: &str,
) -> Option<String> {
    let one = results.samples(one, target, case);
    Spread::of_ratios(results.samples(two, target, case), one).map(ratio)
}

/// Shows a ratio with the range of its middle half.
pub(crate) fn ratio(spread: Spread) -> String {
    let Spread { median, low, high } = spread;
    format!("× {median:.2} ({low:.2}–{high:.2})")
}

/// Shows a whole number, its thousands apart.
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match number < 0.0 && text != "0" {
        true => format!("−{text}"),
        false => text,
    }
}

/// Shows a number that is whole as a rule.
pub(crate) fn fraction(number: f64) -> String {
    match (number - number.round()).abs() < 0.02 {
        true => whole(number),
        false => format!("{number:.2}"),
    }
}

fn microseconds(nanoseconds: f64) -> String {
    format!("{:.1} µs", nanoseconds / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Machine;

    fn results() -> Results {
        let machine = Machine {
            date: "2026-01-31".to_owned(),
            system: "linux".to_owned(),
            cores: 2,
            compiler: String::new(),
            counter: None,
        };
        let mut results = Results::new(machine, true);
        for (measure, case, sample) in [
            (Measure::Allocations, BARE, 24.0),
            (Measure::Allocations, "unsampled", 24.0),
            (Measure::Allocations, "recorded", 26.5),
            (Measure::Time, BARE, 1000.0),
            (Measure::Time, "recorded", 2500.0),
        ] {
            results.add(measure, "axum", case, sample);
        }
        results
    }

    #[test]
    fn rows_show_what_is_over_bare_and_columns_without_figures_are_left_out() {
        let tables = tables(&results());
        assert_eq!(tables.len(), 1);
        let plain = "axum
             allocations  nanoseconds       time, of bare
  bare                24        1,000
  unsampled            0
  recorded         +2.50       +1,500  × 2.50 (2.50–2.50)
";
        assert_eq!(tables[0].plain(), plain);
        let markdown = "### axum

|  | allocations | nanoseconds | time, of bare |
|---|---:|---:|---:|
| bare | 24 | 1,000 |  |
| unsampled | 0 |  |  |
| recorded | +2.50 | +1,500 | × 2.50 (2.50–2.50) |
";
        assert_eq!(tables[0].markdown(), markdown);
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!(whole(0.4), "0");
        assert_eq!(whole(-0.4), "0");
        assert_eq!(whole(999.6), "1,000");
        assert_eq!(whole(-1_234_567.0), "−1,234,567");
        assert_eq!(fraction(2.004), "2");
        assert_eq!(fraction(2.25), "2.25");
    }
}
