//! The page that shows the matrix and every trace, in one file that needs no network.

mod contract;
mod real;

use std::sync::Arc;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use xtask_collector::{Span, Tag, TraceId};

use crate::cell::{Result, Shape, path_name};
use crate::contract::CONTRACTS;
use crate::filter::Filter;
use crate::framework::Framework;
use crate::matrix::Matrix;
use crate::waterfall::{Line, duration, lines};

const STYLE: [&str; 2] = [include_str!("page.css"), include_str!("page/contract.css")];

/// Returns the page's text.
pub(crate) fn render(matrix: &Matrix, filter: &Filter) -> String {
    let (results, good) = (&matrix.results, matrix.good());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Trace matrix: " (matrix.verdict()) }
                @for style in STYLE { style { (PreEscaped(style)) } }
            }
            body {
                header {
                    h1 { "Trace matrix" }
                    p.verdict.good[good].bad[!good] {
                        strong { (matrix.verdict()) }
                        " · " (format!("{:.1}", matrix.seconds)) " s"
                    }
                    @if let Some(text) = filter.text() {
                        p.about { "Only cells and cases with “" (text) "” in their names were run; the others are empty." }
                    }
                    @if let Some(reason) = &matrix.skipped {
                        p.about { "The real Jaeger was skipped: " (reason) "." }
                    }
                    (contract::summary(&matrix.contracts))
                }
                main {
                    @if !good { (failures(matrix)) }
                    @for contract in &CONTRACTS { (contract::section(contract, &matrix.contracts)) }
                    (real::section(&matrix.through))
                    @if !results.is_empty() {
                        section {
                            h2 { "Services that call each other" }
                            p.about {
                                "Real services in four frameworks call each other over HTTP; each cell checks their traces. "
                                "A cell is a link to its traces."
                            }
                            @if results.iter().any(|result| result.cell.fleet.tracer.is_real()) {
                                (real::transports())
                            }
                            (legend())
                        }
                        @for shape in Shape::ALL { (table(shape, results)) }
                        section {
                            h2 { "Traces" }
                            @for result in results {
                                (traces(result))
                            }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn legend() -> Markup {
    html! {
        ul.legend aria-label="Colours of the frameworks" {
            @for framework in Framework::ALL {
                li { span.swatch.(framework.name()) aria-hidden="true" {} (framework) }
            }
            li { span.swatch.client aria-hidden="true" {} "outgoing call or inner span" }
            li { span.swatch.error aria-hidden="true" {} "error" }
        }
    }
}

fn failures(matrix: &Matrix) -> Markup {
    html! {
        section.failures {
            h2 { "Failures" }
            ul {
                @for problem in matrix.problems() { li { (problem) } }
                (contract::failures(&matrix.contracts))
                (real::failures(&matrix.through))
                @for result in &matrix.results {
                    @if let Some(failure) = result.failure() {
                        li { a href={ "#" (anchor(result)) } { (result.cell) } ": " (failure.0) }
                    }
                }
            }
        }
    }
}

fn table(shape: Shape, results: &[Result]) -> Markup {
    let results: Vec<_> = results
        .iter()
        .filter(|result| result.cell.shape == shape)
        .collect();
    let mut rows: Vec<Vec<&Result>> = Vec::new();
    for result in results {
        match rows.last_mut() {
            Some(row)
                if row
                    .first()
                    .is_some_and(|first| first.cell.row() == result.cell.row()) =>
            {
                row.push(result)
            }
            _ => rows.push(vec![result]),
        }
    }
    let paths = shape.paths();
    let group = paths.len() / Framework::ALL.len();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (shape.title()) }
                div.scroll tabindex="0" role="region" aria-label=(shape.title()) {
                    table.matrix {
                        thead {
                            tr {
                                th scope="col" rowspan=[(group > 1).then_some(2)] { "scenario" }
                                th scope="col" rowspan=[(group > 1).then_some(2)] { "tracer" }
                                th scope="col" rowspan=[(group > 1).then_some(2)] { "formats" }
                                @for framework in Framework::ALL {
                                    th.group scope="colgroup" colspan=(group) {
                                        span.swatch.(framework.name()) aria-hidden="true" {}
                                        (framework) @if group > 1 { " →" }
                                    }
                                }
                            }
                            @if group > 1 {
                                tr {
                                    @for (index, path) in paths.iter().enumerate() {
                                        th.callee.first[index % group == 0] scope="col" {
                                            span { (path_name(path.get(1..).unwrap_or_default())) }
                                        }
                                    }
                                }
                            }
                        }
                        tbody {
                            @for row in &rows { (table_row(row, &paths, group)) }
                        }
                    }
                }
            }
        }
    }
}

fn table_row(row: &[&Result], paths: &[Vec<Framework>], group: usize) -> Markup {
    html! {
        @if let Some(first) = row.first() {
            tr {
                th scope="row" title=(first.cell.scenario.about) { (first.cell.scenario.name) }
                td.meta { (first.cell.fleet.tracer) }
                td.meta { (first.cell.fleet.format) }
                @for (index, path) in paths.iter().enumerate() {
                    td.first[index % group == 0] {
                        @if let Some(result) = row.iter().find(|result| &result.cell.path == path) {
                            (mark(result))
                        }
                    }
                }
            }
        }
    }
}

fn mark(result: &Result) -> Markup {
    let good = result.failure().is_none();
    let says = if good { "holds" } else { "does not hold" };
    html! {
        a.mark.good[good].bad[!good]
            href={ "#" (anchor(result)) }
            title=(result.cell)
            aria-label={ (result.cell) " " (says) }
        { @if good { "✓" } @else { "✗" } }
    }
}

fn traces(result: &Result) -> Markup {
    html! {
        article id=(anchor(result)) {
            h3 {
                span.path { (path_name(&result.cell.path)) }
                " " (result.cell.scenario.name)
                small { (result.cell.fleet.tracer) " tracer, " (result.cell.fleet.format) " formats, checked in " (duration(i64::try_from(result.duration.as_micros()).unwrap_or(i64::MAX))) }
            }
            p.about { (result.cell.scenario.about) }
            @if let Some(failure) = result.failure() {
                p.failure { strong { "Does not hold: " } (failure.0) }
            }
            @for (trace_id, spans) in &result.traces {
                (trace(*trace_id, spans))
            }
            @if result.traces.iter().all(|(_, spans)| spans.is_empty()) {
                p.about { "Nothing was reported" @if result.failure().is_none() { ", as it should be" } "." }
            }
        }
    }
}

fn trace(trace_id: TraceId, spans: &[Arc<Span>]) -> Markup {
    let (lines, whole) = lines(spans);
    html! {
        @if !lines.is_empty() {
            div.trace {
                p.trace-head { code { (trace_id) } " · " (lines.len()) " spans · " (duration(whole)) }
                div.scale aria-hidden="true" {
                    @for quarter in 0..=4 { span { (duration(whole * quarter / 4)) } }
                }
                @for line in &lines { (span_line(line)) }
            }
        }
    }
}

fn span_line(line: &Line<'_>) -> Markup {
    let span = line.span;
    let framework = span
        .service
        .strip_prefix("example-")
        .unwrap_or(&span.service);
    let is_server = span
        .tag("span.kind")
        .is_some_and(|kind| kind.to_string() == "server");
    let is_error = span.tag("error").is_some();
    let took = span.duration_micros.map(duration).unwrap_or_default();
    let place = format!(
        "left:{:.3}%;width:{:.3}%",
        line.offset * 100.0,
        line.width * 100.0
    );
    html! {
        details.span {
            summary {
                span.label style={ "--depth:" (line.depth) } {
                    span.service.(framework) { (framework) }
                    span.name { (span.name) }
                    @if is_error { span.error { "error" } }
                }
                span.lane {
                    span.bar.(framework).client[!is_server].error[is_error] style=(place) {}
                }
                span.took { (took) }
            }
            div.facts {
                (tags("Tags", &span.tags))
                @for log in &span.logs {
                    (tags(&format!("Log at {}", duration(log.micros - span.start_micros.unwrap_or(log.micros))), &log.fields))
                }
                (tags("Process", &span.process_tags))
                p.ids { "span " code { (format!("{:016x}", span.id)) } ", parent " code { (format!("{:016x}", span.parent_id)) } }
            }
        }
    }
}

fn tags(title: &str, tags: &[Tag]) -> Markup {
    html! {
        @if !tags.is_empty() {
            table.tags {
                caption { (title) }
                @for tag in tags {
                    tr { th scope="row" { (tag.key) } td { (tag.value) } }
                }
            }
        }
    }
}

/// Returns the anchor of a cell on the page.
fn anchor(result: &Result) -> String {
    let name = result.cell.to_string().replace('→', "to");
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
