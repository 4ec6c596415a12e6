//! The page's part about a real Jaeger.

use maud::{Markup, html};

use crate::real::{HELD_UP, Outcome, TRANSPORTS, Through, Transport};

/// Returns the descriptions of the transports, for the tables of the services.
pub(super) fn transports() -> Markup {
    html! {
        p.about {
            "With these tracers the services send to a real Jaeger, and the checked traces come from its query API:"
        }
        ul.about { @for transport in TRANSPORTS { li { strong { (transport.name) } ": " (transport.about) } } }
    }
}

/// Returns the cases that do not hold.
pub(super) fn failures(all: &[Through]) -> Markup {
    html! {
        @for through in all {
            @if let Some(message) = through.failure() {
                li { a href={ "#" (anchor(through)) } { (through) } ": " (message) }
            }
        }
    }
}

/// Returns a table with cases as rows and transports as columns.
pub(super) fn section(all: &[Through]) -> Markup {
    let transports: Vec<_> = TRANSPORTS
        .iter()
        .filter(|transport| all.iter().any(|through| through.transport == *transport))
        .collect();
    let mut cases: Vec<&str> = Vec::new();
    for through in all {
        if !cases.contains(&through.case) {
            cases.push(through.case);
        }
    }
    html! {
        @if !all.is_empty() {
            section.contract id="real-jaeger" {
                h2 { "Through a real Jaeger" }
                p.about {
                    "The contract of the tracers with a real Jaeger as the backend: ids, parents, references, tags with their types, logs and times, "
                    "as the query API returns them. The " (HELD_UP.len()) " cases that stall the backend are left out."
                }
                div.scroll tabindex="0" role="region" aria-label="Through a real Jaeger" {
                    table.matrix {
                        thead {
                            tr {
                                th scope="col" { "case" }
                                @for transport in &transports { th scope="col" title=(transport.about) { (transport.name) } }
                            }
                        }
                        tbody {
                            @for case in cases {
                                tr {
                                    th scope="row" { (case.replace('_', " ")) }
                                    @for transport in &transports { td { (verdict(all, transport, case)) } }
                                }
                            }
                        }
                    }
                }
                ul.about {
                    @for through in all {
                        @if let Outcome::Lost(reason) = through.outcome {
                            li { (through.transport.name) ", " (through.case.replace('_', " ")) ": " (reason) }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(all: &[Through], transport: &Transport, case: &str) -> Markup {
    let through = all
        .iter()
        .find(|through| through.transport == transport && through.case == case);
    html! {
        @if let Some(through) = through {
            span id=(anchor(through)) {
                @match &through.outcome {
                    Outcome::Holds => span.mark.good title="holds" { "✓" },
                    Outcome::Lost(reason) => span title=(reason) { "Jaeger loses it" },
                    Outcome::Fails(message) => span.mark.bad title=(message) { "✗" },
                }
            }
        }
    }
}

fn anchor(through: &Through) -> String {
    format!("real-{}-{}", through.transport.name, through.case)
}
