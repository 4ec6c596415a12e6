//! The contracts' part of the page.

use maud::{Markup, html};

use crate::contract::{CONTRACTS, Column, Contract, Results, Verdict};

/// Returns the legend, and every column's score with links to the tables.
pub(super) fn summary(results: &Results) -> Markup {
    html! {
        @if !results.columns.is_empty() {
            nav.scores aria-label="Contracts" {
                @for contract in &CONTRACTS {
                    @let columns: Vec<_> = results.of(contract).collect();
                    @if !columns.is_empty() {
                        a.contract href={ "#" (contract.name) } { (contract.title) }
                        ul {
                            @for column in columns {
                                @let (passed, all) = column.score();
                                li.(column.folder) {
                                    (swatch(column)) (column.name()) " "
                                    strong.good[passed == all].bad[passed != all] { (passed) "/" (all) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the cases that did not pass.
pub(super) fn failures(results: &Results) -> Markup {
    html! {
        @for column in &results.columns {
            @for (case, message) in column.failures() {
                li {
                    a href={ "#" (anchor(column, case)) } { (column.name()) ": " (words(case)) }
                    ": " (message.lines().next().unwrap_or_default())
                }
            }
        }
    }
}

/// Returns a contract's table, and the missing features below it.
pub(super) fn section(contract: &'static Contract, results: &Results) -> Markup {
    let columns: Vec<_> = results
        .of(contract)
        .filter(|column| !column.cases.is_empty())
        .collect();
    html! {
        @if !columns.is_empty() {
            section.contract id=(contract.name) {
                h2 { (contract.title) }
                p.about { (contract.about) }
                (legend(&columns))
                label.toggle { input.all type="checkbox"; "Show every case" }
                div.scroll tabindex="0" role="region" aria-label=(contract.title) {
                    table.cases {
                        (head(&columns))
                        @for (title, names) in contract.cases {
                            (group(title, names, &columns))
                        }
                    }
                }
                (lacks(&columns))
            }
        }
    }
}

fn legend(columns: &[&Column]) -> Markup {
    let any = |is: fn(&Verdict) -> bool| columns.iter().any(|column| column.cases.values().any(is));
    html! {
        ul.legend aria-label="Marks" {
            li { span.count.good { "✓" } " passes" }
            @if any(|verdict| !verdict.without().is_empty()) {
                li { span.count.without { "○" } " lacks the feature: the case asserts what is documented to happen instead" }
            }
            @if any(|verdict| matches!(verdict, Verdict::Failed(_))) {
                li { span.count.bad { "✗" } " failed" }
            }
            @if any(|verdict| *verdict == Verdict::NotRun) {
                li { span.count.bad { "–" } " was not run, which counts as a failure" }
            }
        }
    }
}

fn head(columns: &[&Column]) -> Markup {
    let has_forms = columns.iter().any(|column| column.form.is_some());
    html! {
        thead {
            tr {
                th scope="col" rowspan=[has_forms.then_some(2)] { "case" }
                @for column in columns {
                    @let several = of_folder(columns, column);
                    @if several.first().is_some_and(|first| std::ptr::eq(*first, *column)) {
                        th.folder.(column.folder) scope="colgroup" colspan=(several.len()) rowspan=[(has_forms && column.form.is_none()).then_some(2)] {
                            (swatch(column)) (column.folder)
                        }
                    }
                }
            }
            @if has_forms {
                tr {
                    @for column in columns {
                        @if let Some(form) = &column.form { th.form scope="col" { (form) } }
                    }
                }
            }
        }
    }
}

/// Returns the columns of the same folder, which are next to each other.
fn of_folder<'a>(columns: &[&'a Column], column: &Column) -> Vec<&'a Column> {
    let columns = columns.iter().copied();
    columns
        .filter(|other| other.folder == column.folder)
        .collect()
}

fn group(title: &str, names: &[&'static str], columns: &[&Column]) -> Markup {
    let names: Vec<_> = names
        .iter()
        .copied()
        .filter(|name| columns.iter().any(|column| column.cases.contains_key(name)))
        .collect();
    let fails = columns.iter().any(|column| {
        names.iter().any(|name| {
            column
                .cases
                .get(name)
                .is_some_and(|verdict| !verdict.passed())
        })
    });
    html! {
        @if !names.is_empty() {
            tbody {
                tr.group {
                    th scope="rowgroup" {
                        label {
                            input.one type="checkbox" checked[fails] aria-label={ "Show the cases of " (title) };
                            (title) small { (names.len()) }
                        }
                    }
                    @for column in columns { td { (counts(column, &names)) } }
                }
                @for name in &names { (row(name, columns)) }
            }
        }
    }
}

/// Returns how many cases of a group a column passes, lacks, and fails.
fn counts(column: &Column, names: &[&'static str]) -> Markup {
    let verdicts = || names.iter().filter_map(|name| column.cases.get(name));
    let failing = verdicts().filter(|verdict| !verdict.passed()).count();
    let without = verdicts()
        .filter(|verdict| !verdict.without().is_empty())
        .count();
    let doing = verdicts().count() - failing - without;
    html! {
        @if doing > 0 { span.count.good title={ (doing) " passed" } { (doing) } }
        @if without > 0 { span.count.without title={ (without) " lack a feature, and assert what is documented to happen instead" } { (without) " ○" } }
        @if failing > 0 { span.count.bad title={ (failing) " failed or not run" } { (failing) " ✗" } }
    }
}

fn row(name: &'static str, columns: &[&Column]) -> Markup {
    html! {
        tr.case {
            th scope="row" title=(name) { (words(name)) }
            @for column in columns {
                td { @if let Some(verdict) = column.cases.get(name) { (mark(column, name, verdict)) } }
            }
        }
        @for column in columns {
            @if let Some(message) = column.cases.get(name).and_then(Verdict::failure) {
                tr.case.message id=(anchor(column, name)) {
                    td colspan=(columns.len() + 1) { strong { (column.name()) } pre { (message) } }
                }
            }
        }
    }
}

fn mark(column: &Column, name: &str, verdict: &Verdict) -> Markup {
    match verdict {
        Verdict::Passed { without } if without.is_empty() => html! {
            span.count.good title={ (column.name()) " passes" } { "✓" }
        },
        Verdict::Passed { without } => html! {
            span.count.without title={ (column.name()) " lacks " (without.join(", ")) ": what happens instead is asserted" } { "○" }
        },
        Verdict::Failed(_) => html! {
            a.count.bad href={ "#" (anchor(column, name)) } title={ (column.name()) " fails" } { "✗" }
        },
        Verdict::NotRun => html! {
            a.count.bad href={ "#" (anchor(column, name)) } title={ (column.name()) " was not run" } { "–" }
        },
    }
}

fn lacks(columns: &[&Column]) -> Markup {
    html! {
        @if columns.iter().any(|column| !column.lacks.is_empty()) {
            h3 { "Missing features, and the reasons" }
            div.scroll tabindex="0" role="region" aria-label="Missing features, and the reasons" {
                table.lacks {
                    thead { tr { th scope="col" { "column" } th scope="col" { "missing" } th scope="col" { "reason" } } }
                    @for column in columns.iter().filter(|column| !column.lacks.is_empty()) {
                        tbody.(column.folder) {
                            @for (index, lack) in column.lacks.iter().enumerate() {
                                tr {
                                    @if index == 0 {
                                        th scope="rowgroup" rowspan=(column.lacks.len()) {
                                            (swatch(column)) (column.name())
                                        }
                                    }
                                    td.feature { (lack.feature) }
                                    td { (with_code(&lack.reason)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the colour of a framework; other columns have none.
fn swatch(column: &Column) -> Markup {
    html! {
        @if matches!(column.contract.name, "server" | "service") { span.swatch aria-hidden="true" {} }
    }
}

/// Returns a sentence with code between backticks.
fn with_code(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Returns the anchor of a failure on the page.
fn anchor(column: &Column, case: &str) -> String {
    format!("contract-{}-{case}", column.name().replace(' ', "-"))
}

/// Returns a case's name as a sentence, with a dot between digits.
fn words(case: &str) -> String {
    let mut words = String::with_capacity(case.len());
    let mut letters = case.chars().peekable();
    while let Some(letter) = letters.next() {
        let after_digit = words.ends_with(|last: char| last.is_ascii_digit());
        let before_digit = letters.peek().is_some_and(char::is_ascii_digit);
        words.push(match letter {
            '_' if after_digit && before_digit => '.',
            '_' => ' ',
            _ => letter,
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sentences() {
        assert_eq!(words("http_1_0_is_served"), "http 1.0 is served");
        assert_eq!(words("reads_w3c_then_b3"), "reads w3c then b3");
    }

    #[test]
    fn code_stands_between_backticks() {
        let markup = with_code("`a<b>` is code").into_string();
        assert_eq!(markup, "<code>a&lt;b&gt;</code> is code");
    }
}
