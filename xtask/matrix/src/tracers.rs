//! The page that compares the tracers: what each one delivers, from the results of the contract.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use opentracing_testkit::tracer::Feature;

use crate::contract::{CONTRACTS, Column, Lack, Results, words};

/// Where the page is, below the workspace's folder.
pub(crate) const PAGE: &str = "adapters/TRACERS.md";

/// The tracers that services can use: folder, form, and heading. Other columns only test the contract.
const TRACERS: [(&str, Option<&str>, &str); 6] = [
    ("otlp", Some("over http"), "OTLP over HTTP"),
    ("otlp", Some("over grpc"), "OTLP over gRPC"),
    ("jaeger", None, "Jaeger's Thrift over UDP"),
    (
        "opentelemetry",
        Some("exporter"),
        "OpenTelemetry's exporters",
    ),
    (
        "opentelemetry",
        Some("processor"),
        "OpenTelemetry's processors",
    ),
    ("core", Some("in memory"), "in memory"),
];

/// A tracer's column, with its heading.
struct Tracer<'a> {
    heading: &'static str,
    column: &'a Column,
}

/// Compares the page with these results, and writes a page of the results into `folder`.
///
/// # Errors
///
/// Returns an error if they differ, or if a file cannot be read or written.
pub(crate) fn check(results: &Results, page: &Path, folder: &Path) -> Result<(), String> {
    let made = render(&tracers(results));
    let copy = folder.join("TRACERS.md");
    fs::write(&copy, &made).map_err(|error| format!("{}: {error}", copy.display()))?;
    let found = fs::read_to_string(page);
    let found = found.map_err(|error| format!("{}: {error}", page.display()))?;
    match found == made {
        true => Ok(()),
        false => Err(format!(
            "{PAGE} differs from the results: copy {} there, and check the changes",
            copy.display()
        )),
    }
}

fn tracers(results: &Results) -> Vec<Tracer<'_>> {
    let contract = CONTRACTS
        .iter()
        .find(|contract| contract.name == "tracer")
        .into_iter();
    let columns: Vec<_> = contract.flat_map(|contract| results.of(contract)).collect();
    let of = |(folder, form, heading): &(&str, Option<&str>, &'static str)| {
        let is_it = |column: &&&Column| column.folder == *folder && column.form.as_deref() == *form;
        let column = columns.iter().find(is_it)?;
        Some(Tracer { heading, column })
    };
    TRACERS.iter().filter_map(of).collect()
}

fn render(tracers: &[Tracer<'_>]) -> String {
    let mut page = String::from(
        "# The tracers compared\n\n\
         The parts of a span that the backend receives from each tracer. `cargo xtask matrix` generates this page from the results of the \
         [tracer contract](../core/testkit/README.md), and fails if it differs.\n\
         Parts that a tracer does not send, such as baggage, are still propagated between services by the core.\n\n",
    );
    row(&mut page, "", tracers, |tracer| tracer.heading.to_owned());
    row(&mut page, "---", tracers, |_| "---".to_owned());
    let figure = |name: &'static str| {
        move |tracer: &Tracer<'_>| tracer.column.carries.get(name).cloned().unwrap_or_default()
    };
    row(&mut page, "spans are sent", tracers, figure("delivery"));
    row(
        &mut page,
        "times, in steps of",
        tracers,
        figure("resolution"),
    );
    row(&mut page, "shortest duration", tracers, figure("shortest"));
    let mut notes = Vec::new();
    for feature in Feature::ALL {
        row(&mut page, feature.what(), tracers, |tracer| {
            match lack(tracer.column, feature) {
                Some(lack) => format!("no {}", note(&mut notes, &lack.reason)),
                None => "yes".to_owned(),
            }
        });
    }
    row(
        &mut page,
        "cases of the contract that hold",
        tracers,
        |tracer| {
            let (passed, all) = tracer.column.score();
            format!("{passed} of {all}")
        },
    );
    page.push('\n');
    for (number, reason) in notes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{}. {}", number + 1, sentence(reason));
    }
    page
}

fn row(
    page: &mut String,
    first: &str,
    tracers: &[Tracer<'_>],
    mut cell: impl FnMut(&Tracer<'_>) -> String,
) {
    let cells = tracers.iter().map(|tracer| format!(" {} |", cell(tracer)));
    let cells: String = cells.collect();
    let _ = writeln!(page, "| {first} |{cells}");
}

fn lack(column: &Column, feature: Feature) -> Option<&Lack> {
    let name = words(&format!("{feature:?}"));
    column.lacks.iter().find(|lack| lack.feature == name)
}

/// Returns the number of the note with this text, which is added if it is not present.
fn note(notes: &mut Vec<String>, text: &str) -> String {
    let index = notes.iter().position(|note| note == text);
    let index = index.unwrap_or_else(|| {
        notes.push(text.to_owned());
        notes.len() - 1
    });
    format!("({})", index + 1)
}

/// Returns the text with a capital letter at the start and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!(
        "{}{}.",
        first.unwrap_or_default(),
        letters.as_str().trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::contract::Verdict;

    fn column(folder: &str, form: Option<&str>, lacks: &[(&str, &str)]) -> Column {
        let contract = CONTRACTS.iter().find(|contract| contract.name == "tracer");
        let without = Vec::new();
        Column {
            contract: contract.expect("the tracers' contract"),
            folder: folder.to_owned(),
            form: form.map(str::to_owned),
            cases: BTreeMap::from([("ids_arrive", Verdict::Passed { without })]),
            lacks: lacks
                .iter()
                .map(|(feature, reason)| Lack {
                    feature: (*feature).to_owned(),
                    reason: (*reason).to_owned(),
                })
                .collect(),
            carries: BTreeMap::from([("resolution".to_owned(), "1µs".to_owned())]),
        }
    }

    #[test]
    fn a_page_has_a_column_for_each_tracer_and_a_note_for_each_reason() {
        let results = Results {
            columns: vec![
                column("custom-tracer", None, &[]),
                column(
                    "jaeger",
                    None,
                    &[
                        ("tracestate", "there is no field"),
                        ("baggage", "there is no field"),
                    ],
                ),
                column(
                    "otlp",
                    Some("over http"),
                    &[("baggage", "none asked for it")],
                ),
            ],
            problems: Vec::new(),
        };
        let page = render(&tracers(&results));
        for line in [
            "|  | OTLP over HTTP | Jaeger's Thrift over UDP |",
            "| times, in steps of | 1µs | 1µs |",
            "| baggage at the span's end | no (1) | no (2) |",
            "| tracestate | yes | no (2) |",
            "| cases of the contract that hold | 1 of 1 | 1 of 1 |",
            "1. None asked for it.",
            "2. There is no field.",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }
}
