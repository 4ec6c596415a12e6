//! The page that shows the results, in one file that needs no network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::against::Comparison;
use crate::apps::Target;
use crate::results::{Measure, Results};
use crate::stats::Spread;
use crate::table::{Table, tables, whole};

/// The page's text.
pub(crate) fn render(results: &Results, comparison: Option<&Comparison>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "What tracing costs" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    h1 { "What tracing costs a request" }
                    (about(results, comparison))
                }
                main {
                    @match comparison {
                        Some(comparison) => (compared(comparison)),
                        None => (measured(results)),
                    }
                }
            }
        }
    };
    page.into_string()
}

fn about(results: &Results, comparison: Option<&Comparison>) -> Markup {
    let machine = &results.machine;
    let cores = match machine.cores {
        1 => "1 core".to_owned(),
        cores => format!("{cores} cores"),
    };
    let counter = machine.counter.as_deref();
    let counter = counter.map(|counter| format!(" · instructions by {counter}"));
    html! {
        p.about {
            (machine.date) " · " (machine.system) ", " (cores) " · " (machine.compiler) (counter.unwrap_or_default())
            @if let Some(comparison) = comparison { " · compared with " code { (comparison.revision) } }
        }
        @if results.quick { p.note { "A quick run with few samples: these figures are a first impression, not results." } }
        @for note in &results.notes { p.note { (note) } }
    }
}

fn compared(comparison: &Comparison) -> Markup {
    html! {
        p.about {
            "Both revisions were built with the same options and run in turn. Allocations, instructions and bytes are those of the other revision → "
            "those of this one. The other figures are the ratio of this revision to the other one, with the range of the middle half "
            "of the rounds: below 1 is less."
        }
        @for table in comparison.tables() { (table_of(&table)) }
    }
}

fn measured(results: &Results) -> Markup {
    html! {
        p.about {
            "Every framework has the same routes, handler and request. Figures in the row “bare” are those of the framework alone; all "
            "others are what a request costs in addition. “Does nothing” has a layer, middleware or pair of fairings that only passes "
            "requests on: its cost is the framework's. “Recorded” alone uses an exporter that computes every tag and drops the span."
        }
        (bars(
            results,
            "Instructions over the bare framework",
            "On the request's thread. What the tracer does on its own thread is in the tables.",
            Measure::Instructions,
        ))
        (bars(
            results,
            "Allocations over the bare framework",
            "On the request's thread.",
            Measure::Allocations,
        ))
        (ratios(
            results,
            "Time, as a ratio to the bare framework",
            "Without sockets. The thin line is the range of the middle half of the rounds.",
            Measure::Time,
        ))
        (bars(
            results,
            "Bytes held by a request in flight, over the bare framework",
            "While its handler waits.",
            Measure::Held,
        ))
        (ratios(
            results,
            "Requests per second over sockets, one thread, as a ratio to the bare framework",
            "The load, the server and a collector share the machine.",
            Measure::RequestsOne,
        ))
        (ratios(
            results,
            "Requests per second over sockets, two threads, as a ratio to the bare framework",
            "The load, the server and a collector share the machine.",
            Measure::RequestsTwo,
        ))
        section {
            h2 { "All figures" }
            @for table in tables(results) { (table_of(&table)) }
        }
    }
}

/// A bar with its label, and where it ends.
struct Bar {
    case: String,
    label: String,
    value: f64,
    range: Option<(f64, f64)>,
}

/// A chart of the differences to the bare framework.
fn bars(results: &Results, title: &str, about: &str, measure: Measure) -> Markup {
    let bar = |target: &str, case: &str| {
        let figure = median(results.samples(measure, target, case))?;
        let value = figure - median(results.bare(measure, target, case))?;
        Some(Bar {
            case: case.to_owned(),
            label: whole(value),
            value,
            range: None,
        })
    };
    chart(results, title, about, measure, bar)
}

/// A chart of the ratios to the bare framework, of which 1 is drawn as a line.
fn ratios(results: &Results, title: &str, about: &str, measure: Measure) -> Markup {
    let bar = |target: &str, case: &str| {
        let samples = results.samples(measure, target, case);
        let spread = Spread::of_ratios(samples, results.bare(measure, target, case))?;
        Some(Bar {
            case: case.to_owned(),
            label: format!("× {:.2}", spread.median),
            value: spread.median,
            range: Some((spread.low, spread.high)),
        })
    };
    chart(results, title, about, measure, bar)
}

fn chart(
    results: &Results,
    title: &str,
    about: &str,
    measure: Measure,
    bar: impl Fn(&str, &str) -> Option<Bar>,
) -> Markup {
    let targets = results.targets(&[measure]);
    let targets = targets.into_iter().filter(|name| {
        // The others have nothing that a framework would have without tracing.
        Target::named(name).is_some_and(Target::is_served)
    });
    let groups: Vec<(&str, Vec<Bar>)> = targets
        .map(|target| {
            let cases = results.cases(&[measure], target);
            let cases = cases.into_iter().filter(|case| is_drawn(case));
            (target, cases.filter_map(|case| bar(target, case)).collect())
        })
        .filter(|(_, bars): &(_, Vec<Bar>)| !bars.is_empty())
        .collect();
    let all = groups.iter().flat_map(|(_, bars)| bars);
    let ends = all.map(|bar| bar.range.map_or(bar.value, |(_, high)| high.max(bar.value)));
    let scale = ends.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let percent = |value: f64| 100.0 * value.max(0.0) / scale;
    html! {
        @if !groups.is_empty() {
            section {
                h2 { (title) }
                p.about { (about) }
                div.chart {
                    @for (target, bars) in &groups {
                        div.group.(class(target)) {
                            h3 { (target) }
                            @for bar in bars {
                                div.row {
                                    span.case { (bar.case) }
                                    span.lane {
                                        span.bar style=(format!("width:{:.2}%", percent(bar.value))) {}
                                        @if let Some((low, high)) = bar.range {
                                            span.range style=(format!("left:{:.2}%;width:{:.2}%", percent(low), percent(high) - percent(low))) {}
                                            span.one style=(format!("left:{:.2}%", percent(1.0))) {}
                                        }
                                    }
                                    span.value { (bar.label) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether a chart shows the case; all are in the tables.
fn is_drawn(case: &str) -> bool {
    const DRAWN: [&str; 9] = [
        crate::case::NOTHING,
        "skipped",
        "no-op tracer",
        "unsampled",
        "recorded",
        "recorded, to Jaeger",
        "recorded, to OTLP",
        "recorded, no attributes",
        "recorded, baggage",
    ];
    DRAWN.contains(&case)
}

/// The framework's colour.
fn class(target: &str) -> &str {
    target.split(' ').next().unwrap_or(target)
}

fn median(samples: &[f64]) -> Option<f64> {
    Some(Spread::of(samples.iter().copied())?.median)
}

fn table_of(table: &Table) -> Markup {
    html! {
        article {
            h3 { (table.title) }
            div.scroll tabindex="0" role="region" aria-label=(table.title) {
                table.figures {
                    thead { tr { @for head in &table.head { th scope="col" { (head) } } } }
                    tbody {
                        @for row in &table.rows {
                            tr {
                                @for (index, text) in row.iter().enumerate() {
                                    @if index == 0 { th scope="row" { (text) } } @else { td { (text) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::BARE;
    use crate::results::Machine;

    #[test]
    fn page_has_a_chart_and_a_table_of_what_was_measured_and_nothing_else() {
        let mut results = Results::new(Machine::this(), false);
        for (case, figure) in [(BARE, 10_000.0), ("recorded", 22_345.0)] {
            results.add(Measure::Instructions, "axum", case, figure);
        }
        results.notes.push("5 < 6".to_owned());
        let page = render(&results, None);
        assert!(page.contains("Instructions over the bare framework"));
        assert!(page.contains(">12,345<"), "the bar's label");
        assert!(page.contains("+12,345"), "the table's figure");
        assert!(page.contains("5 &lt; 6"));
        assert!(!page.contains("Requests per second"));
    }
}
