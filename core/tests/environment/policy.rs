//! Configuration of a policy by environment variables: sampler, limits, and precedence.

use opentracing_http::sampler::{Always, Never};
use opentracing_http::server::Instrumentation;
use opentracing_http::{Limits, SpanContext, SpanId, TraceFlags, TraceId};

use super::*;

/// Returns whether a root is recorded, and the children of callers who did and who did not sample their span.
fn records(tracing: &HttpTracing) -> [bool; 3] {
    ["", SAMPLED, UNSAMPLED].map(|caller| {
        let mut span = tracing.span("x");
        if let Some(caller) = tracing.extract(&[("traceparent", caller)]) {
            span = span.child_of(caller);
        }
        span.start().is_recording()
    })
}

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";

#[test]
fn each_name_of_a_sampler_selects_that_sampler() {
    for (variables, expected) in [
        (&[(SAMPLER, "always_on")][..], [true, true, true]),
        (&[(SAMPLER, "always_off")], [false, false, false]),
        (&[(SAMPLER, "traceidratio")], [true, true, true]),
        (&[(SAMPLER, "traceidratio"), (SHARE, "0")], [false; 3]),
        (&[(SAMPLER, "traceidratio"), (SHARE, " 1.0 ")], [true; 3]),
        (&[(SAMPLER, "traceidratio"), (SHARE, "")], [true; 3]),
        (&[(SAMPLER, "parentbased_always_on")], [true, true, false]),
        (&[(SAMPLER, "parentbased_always_off")], [false, true, false]),
        (
            &[(SAMPLER, "ParentBased_TraceIdRatio")],
            [true, true, false],
        ),
        (
            &[(SAMPLER, "parentbased_traceidratio"), (SHARE, "0.0")],
            [false, true, false],
        ),
        // A ratio is allowed only for a sampler that takes one.
        (&[(SAMPLER, "always_on"), (SHARE, "0")], [true; 3]),
        (&[(SAMPLER, "always_off"), (SHARE, "often")], [false; 3]),
        (&[(SHARE, "often")], [true, true, false]),
        (&[(SAMPLER, "  ")], [true, true, false]),
        (&[], [true, true, false]),
    ] {
        assert_eq!(records(&with(variables)), expected, "{variables:?}");
    }
}

#[test]
fn the_share_is_that_of_new_traces() {
    let share = [(SAMPLER, "parentbased_traceidratio"), (SHARE, "0.25")];
    let (tracing, tracer) = traced(|builder| builder.env_with(table(&share)));
    for _ in 0..2000 {
        tracing.span("x").start().finish();
    }
    let kept = tracer.take();
    assert!((300..700).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].tag("sampler.param"), Some(0.25.into()));
}

#[test]
fn an_unknown_sampler_is_an_error_with_the_known_ones() {
    for (name, remedy) in [
        ("jaeger_remote", "`jaeger_remote` is not supported"),
        (
            "parentbased_jaeger_remote",
            "no strategies are fetched; set `always_on`",
        ),
        ("xray", "is not supported"),
        (
            "always",
            "`always` is not a sampler; set `always_on`, `always_off`, `traceidratio`",
        ),
        ("parentbased_", "after `parentbased_`"),
        ("parentbased_parentbased_always_on", "is not a sampler"),
        ("probability:0.1", "is not a sampler"),
    ] {
        let (option, text) = fault(&[(SAMPLER, name)]);
        assert_eq!(option, SAMPLER);
        assert!(text.contains(remedy), "{text}");
    }
    for share in ["1.1", "-0.1", "NaN", "10%", "0,1", "often"] {
        for sampler in ["traceidratio", "parentbased_traceidratio"] {
            let (option, text) = fault(&[(SAMPLER, sampler), (SHARE, share)]);
            assert_eq!(option, SHARE);
            assert!(text.contains("give a number from 0 to 1"), "{text}");
        }
    }
}

#[test]
fn variables_override_options_set_before_and_not_those_set_later() {
    let off = [(SAMPLER, "always_off")];
    for (tracing, expected) in [
        (
            traced(|policy| policy.sampler(Always).env_with(table(&off))),
            false,
        ),
        (
            traced(|policy| policy.env_with(table(&off)).sampler(Always)),
            true,
        ),
        (
            traced(|policy| policy.sampler_text("always").env_with(table(&off))),
            false,
        ),
        (
            traced(|policy| policy.env_with(table(&off)).sampler_text("always")),
            true,
        ),
        (
            traced(|policy| policy.sampler(Never).env_with(table(&[]))),
            false,
        ),
        (
            traced(|policy| policy.env_with(table(&off)).env_with(table(&[]))),
            false,
        ),
    ] {
        assert_eq!(tracing.0.span("x").start().is_recording(), expected);
    }
    let mut limits = Limits::default();
    limits.tags = 1;
    limits.logs = 1;
    let three = [("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3")];
    // Limits without a variable keep the values that code has set.
    let over = kept(|policy| policy.limits(limits).env_with(table(&three)));
    assert_eq!((over.tags, over.logs), (3, 1));
    let under = kept(|policy| policy.env_with(table(&three)).limits(limits));
    assert_eq!((under.tags, under.logs), (1, 1));
}

#[test]
fn rules_decide_before_the_sampler_of_the_environment() {
    let off = [(SAMPLER, "always_off")];
    let rules = ["/checkout/* = always"];
    for (tracing, _tracer) in [
        traced(|policy| policy.sampling_rules(rules).env_with(table(&off))),
        traced(|policy| policy.env_with(table(&off)).sampling_rules(rules)),
    ] {
        let recorded = |path| {
            let request = http::Request::get(path).body(()).unwrap();
            let span = Instrumentation::new(&tracing, "test").begin(&request);
            span.span().is_recording()
        };
        assert!(recorded("/checkout/1") && !recorded("/elsewhere"));
    }
}

#[test]
fn the_first_wrong_option_is_the_error() {
    let wrong = [(SAMPLER, "often")];
    let builder = || HttpTracing::builder(InMemoryTracer::new());
    let first = builder()
        .env_with(table(&wrong))
        .sampler_text("often")
        .build();
    assert_eq!(first.unwrap_err().option(), SAMPLER);
    let first = builder()
        .sampler_text("often")
        .env_with(table(&wrong))
        .build();
    assert_eq!(first.unwrap_err().option(), "sampler_text");
    // An option that code sets later does not remove the error.
    let later = builder().env_with(table(&wrong)).sampler(Always).build();
    assert_eq!(later.unwrap_err().option(), SAMPLER);
}

/// Returns how much a span keeps of eight items of each kind, and of 100 bytes of text.
#[derive(Debug, PartialEq)]
struct Kept {
    tags: usize,
    logs: usize,
    log_fields: usize,
    references: usize,
    bytes: usize,
}

impl Kept {
    const ALL: Self = Self {
        tags: 8,
        logs: 8,
        log_fields: 8,
        references: 8,
        bytes: 100,
    };
}

fn kept(change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Kept {
    const KEYS: [&str; 8] = ["text", "b", "c", "d", "e", "f", "g", "h"];
    let (tracing, tracer) = traced(change);
    let other = |n: u64| {
        let ids = (TraceId::new(1).unwrap(), SpanId::new(n + 1).unwrap());
        SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED)
    };
    // The first of them is the parent, which is not counted.
    let links = (0..=8).map(other);
    let span = links.fold(tracing.span("x"), |span, other| span.follows_from(other));
    let span = span.start();
    for key in KEYS {
        span.set_tag(key, "€".repeat(33) + ".");
        span.log(KEYS.map(|key| (key, 1)));
    }
    span.finish();
    let span = tracer.take().remove(0);
    let text = span.tag("text").unwrap();
    Kept {
        tags: span.tags().len(),
        logs: span.logs().len(),
        log_fields: span.logs().first().map_or(0, |log| log.fields.len()),
        references: span.references().count() - 1,
        bytes: text.as_str().unwrap().len(),
    }
}

#[test]
fn each_limit_has_its_variable() {
    const ALL: Kept = Kept::ALL;
    for (variables, expected) in [
        (&[][..], ALL),
        (
            &[("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5")],
            Kept { tags: 5, ..ALL },
        ),
        (
            &[("OTEL_SPAN_EVENT_COUNT_LIMIT", "0")],
            Kept {
                logs: 0,
                log_fields: 0,
                ..ALL
            },
        ),
        (
            &[("OTEL_SPAN_EVENT_COUNT_LIMIT", "7")],
            Kept { logs: 7, ..ALL },
        ),
        (
            &[("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "6")],
            Kept {
                log_fields: 6,
                ..ALL
            },
        ),
        (
            &[("OTEL_SPAN_LINK_COUNT_LIMIT", "0")],
            Kept {
                references: 0,
                ..ALL
            },
        ),
        // Three bytes a character, none of them cut apart.
        (
            &[("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50")],
            Kept { bytes: 48, ..ALL },
        ),
        (
            &[("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50")],
            Kept { bytes: 48, ..ALL },
        ),
        (
            &[
                ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50"),
                ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"),
            ],
            Kept { bytes: 9, ..ALL },
        ),
        // The general limit is for tags and for the fields of logs, unless they have their own.
        (
            &[("OTEL_ATTRIBUTE_COUNT_LIMIT", "5")],
            Kept {
                tags: 5,
                log_fields: 5,
                ..ALL
            },
        ),
        (
            &[
                ("OTEL_ATTRIBUTE_COUNT_LIMIT", "5"),
                ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "8"),
                ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2147483647"),
            ],
            ALL,
        ),
        (
            &[
                ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", " "),
                ("OTEL_SPAN_LINK_COUNT_LIMIT", ""),
            ],
            ALL,
        ),
    ] {
        let found = kept(|policy| policy.env_with(table(variables)));
        assert_eq!(found, expected, "{variables:?}");
    }
}

#[test]
fn a_wrong_limit_is_an_error_with_the_remedy() {
    for name in [
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    ] {
        for value in ["0", "-1", "many", "1.5", "99999999999999999999999"] {
            let (option, text) = fault(&[(name, value)]);
            assert_eq!(option, name);
            assert!(text.contains("give a whole number above 0"), "{text}");
        }
    }
    for name in [
        "OTEL_SPAN_EVENT_COUNT_LIMIT",
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_LINK_COUNT_LIMIT",
    ] {
        let (option, text) = fault(&[(name, "-1")]);
        assert_eq!(option, name);
        assert!(
            text.contains("`-1` is not a whole number; give a whole number"),
            "{text}"
        );
    }
}
