//! What is wrong with a propagator fails in the case that names the rule.

use std::panic::catch_unwind;

use opentracing_http::propagation::Carrier;
use opentracing_http::propagation::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
use opentracing_testkit::for_each_propagation_case;
use opentracing_testkit::propagation::{CASES, Format, cases};

use super::datadog::{Datadog, PARENT_ID, PRIORITY, TRACE_ID, datadog, datadog_as, parse};

type Extract = fn(&IncomingHeaders<'_>, &mut Extraction);
type Inject = fn(&Outgoing<'_>, &mut dyn Carrier);
type Fields = &'static [Field];

/// Datadog's format, done wrong.
#[derive(Debug, Clone, Copy)]
struct Broken {
    extract: Extract,
    inject: Inject,
    fields: Fields,
}

impl Propagator for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn fields(&self) -> &[Field] {
        self.fields
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        (self.extract)(headers, found);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        (self.inject)(outgoing, carrier);
    }
}

const FIELDS: Fields = &[
    Field::named(TRACE_ID),
    Field::named(PARENT_ID),
    Field::named(PRIORITY),
];

/// To start from: nothing is wrong with it.
const SOUND: Broken = Broken {
    extract: |headers, found| Datadog.extract(headers, found),
    inject: |outgoing, carrier| Datadog.inject(outgoing, carrier),
    fields: FIELDS,
};

macro_rules! functions {
    ([] $($group:literal { $($case:ident)* })*) => {
        const FUNCTIONS: &[(&str, fn(&Format))] = &[$($((stringify!($case), cases::$case)),*),*];
    };
}

for_each_propagation_case!(functions,);

fn fails(case: &str, format: &Format) -> bool {
    let case = FUNCTIONS.iter().find(|(name, _)| *name == case);
    let (_, case) = case.expect("a case of the list");
    // Nothing of a format is changed by a case, so nothing can be left half done.
    let format = std::panic::AssertUnwindSafe(format);
    catch_unwind(|| case(&format)).is_err()
}

/// Asserts that a case fails for this format, and not for the one that it is made of.
#[track_caller]
fn assert_fails(case: &str, broken: Broken) {
    assert!(fails(case, &datadog_as(broken)), "{case}");
    assert!(!fails(case, &datadog()), "{case}");
}

#[test]
fn lists_every_case_once() {
    let names: Vec<_> = CASES.iter().flat_map(|(_, names)| *names).collect();
    let functions: Vec<_> = FUNCTIONS.iter().map(|(name, _)| name).collect();
    assert_eq!(names, functions);
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}

#[test]
fn format_that_reads_wrongly_fails_its_case() {
    let defects: [(&str, Extract); 13] = [
        ("ignores_malformed_headers", |headers, found| {
            // Silent where it should refuse.
            let mut alone = Extraction::default();
            Datadog.extract(headers, &mut alone);
            if let Some(context) = alone.context() {
                found.set_context(context);
            }
        }),
        ("counts_a_refusal_under_its_name", |headers, found| {
            Datadog.extract(headers, found);
            found.refuse();
        }),
        ("extracts_ids_made_elsewhere", |headers, found| {
            let mut alone = Extraction::default();
            Datadog.extract(headers, &mut alone);
            match alone.context() {
                Some(context) => found.set_context(context.with_flags(TraceFlags::SAMPLED)),
                None => found.refuse(),
            }
        }),
        ("extracts_nothing_from_empty_headers", |headers, found| {
            Datadog.extract(headers, found);
            found.set_decision(TraceFlags::NOT_SAMPLED);
        }),
        ("two_conflicting_ids_are_none", |headers, found| {
            // The first of several.
            let first = |name| headers.view().header(name);
            if let (Some(trace), Some(span)) = (first(TRACE_ID), first(PARENT_ID)) {
                match parse(trace, span, first(PRIORITY)) {
                    Some(context) => found.set_context(context),
                    None => found.refuse(),
                }
            }
        }),
        ("header_names_come_in_any_case", |headers, found| {
            let mut exact = Vec::new();
            headers.view().each_header(&mut |name, value| {
                if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    exact.push((name, value));
                }
            });
            Datadog.extract(&IncomingHeaders::read(&exact), found);
        }),
        ("header_names_are_taken_whole", |headers, found| {
            let mut renamed = Vec::new();
            headers.view().each_header(&mut |name, value| {
                renamed.push((name.replace('.', "-"), value));
            });
            Datadog.extract(&IncomingHeaders::read(&renamed), found);
        }),
        ("header_names_are_taken_whole", |headers, found| {
            // Every name that begins like one of the format's.
            let mut whole = Vec::new();
            headers.view().each_header(&mut |name, value| {
                let names = [TRACE_ID, PARENT_ID, PRIORITY];
                let begins = |own: &&str| name.to_ascii_lowercase().starts_with(own);
                let name = names.into_iter().find(begins).unwrap_or(name);
                whole.push((name.to_owned(), value));
            });
            Datadog.extract(&IncomingHeaders::read(&whole), found);
        }),
        ("header_names_are_taken_whole", |headers, found| {
            // The same of the priority alone, which says nothing by itself.
            let mut whole = Vec::new();
            headers.view().each_header(&mut |name, value| {
                let begins = name.to_ascii_lowercase().starts_with(PRIORITY);
                let name = if begins { PRIORITY } else { name };
                whole.push((name.to_owned(), value));
            });
            Datadog.extract(&IncomingHeaders::read(&whole), found);
        }),
        ("headers_come_in_any_order", |headers, found| {
            let mut first = Vec::new();
            headers.view().each_header(&mut |name, value| {
                if first.len() < 3 {
                    first.push((name, value));
                }
            });
            Datadog.extract(&IncomingHeaders::read(&first), found);
        }),
        (
            "one_wrong_byte_never_gives_half_a_context",
            |headers, found| {
                // As `str::parse` has it, which takes a sign.
                let number = |name| -> Option<u64> {
                    let text = std::str::from_utf8(headers.view().header(name)?).ok()?;
                    text.trim_matches([' ', '\t']).parse().ok()
                };
                let ids = number(TRACE_ID).zip(number(PARENT_ID));
                let context = ids.and_then(|(trace, span)| {
                    Some(SpanContext::new(
                        TraceId::new(trace.into())?,
                        SpanId::new(span)?,
                        TraceFlags::DEFERRED,
                    ))
                });
                match context {
                    Some(context) => found.set_context(context),
                    None => found.refuse(),
                }
            },
        ),
        (
            "a_value_cut_short_never_gives_half_a_context",
            |headers, found| {
                // A decision is left where the ids are refused.
                Datadog.extract(headers, found);
                if !found.has_context() {
                    found.set_decision(TraceFlags::SAMPLED);
                }
            },
        ),
        ("bytes_that_are_not_text_are_harmless", |headers, found| {
            headers.view().each_header(&mut |_, value| {
                std::str::from_utf8(value).expect("text");
            });
            Datadog.extract(headers, found);
        }),
    ];
    for (case, extract) in defects {
        let broken = Broken { extract, ..SOUND };
        assert_fails(case, broken);
    }
}

#[test]
fn format_that_writes_wrongly_fails_its_case() {
    let defects: [(&str, Inject); 7] = [
        ("writes_its_table", |outgoing, carrier| {
            Datadog.inject(outgoing, carrier);
            carrier.set("x-datadog-origin", "rum");
        }),
        (
            "inject_leaves_the_headers_of_others",
            |outgoing, carrier| {
                Datadog.inject(outgoing, carrier);
                carrier.remove_fields(&[Field::named("traceparent")]);
            },
        ),
        ("inject_of_nothing_leaves_nothing", |outgoing, carrier| {
            Datadog.inject(outgoing, carrier);
            if outgoing.context().is_none() {
                carrier.set(PRIORITY, "0");
            }
        }),
        (
            "inject_without_a_context_writes_no_ids",
            |outgoing, carrier| {
                Datadog.inject(outgoing, carrier);
                if outgoing.context().is_none() && !outgoing.baggage().is_empty() {
                    carrier.set(TRACE_ID, "1");
                    carrier.set(PARENT_ID, "1");
                }
            },
        ),
        (
            "what_is_written_fits_every_header_map",
            |outgoing, carrier| {
                Datadog.inject(outgoing, &mut |name: &str, value: &str| {
                    carrier.set(&name.to_ascii_uppercase(), value);
                });
            },
        ),
        ("round_trips_a_debug_context", |outgoing, carrier| {
            Datadog.inject(outgoing, carrier);
            carrier.set(PRIORITY, "1");
        }),
        ("round_trips_a_child_context", |outgoing, carrier| {
            Datadog.inject(outgoing, carrier);
            if let Some(context) = outgoing.context() {
                carrier.set(PARENT_ID, &(context.span_id().get() as u32).to_string());
            }
        }),
    ];
    for (case, inject) in defects {
        let broken = Broken { inject, ..SOUND };
        assert_fails(case, broken);
    }
}

#[test]
fn header_that_is_not_declared_fails_its_case() {
    const TOO_MANY: Fields = &[Field::prefixed("x-")];
    let defects: [(&str, Fields); 5] = [
        ("declares_every_header_that_it_owns", &FIELDS[1..]),
        ("declares_every_header_that_it_owns", &FIELDS[..2]),
        ("inject_removes_what_a_proxy_copied", &FIELDS[1..]),
        ("inject_overwrites_what_was_there", &FIELDS[..2]),
        ("inject_leaves_the_headers_of_others", TOO_MANY),
    ];
    for (case, fields) in defects {
        let broken = Broken { fields, ..SOUND };
        assert_fails(case, broken);
    }
}
