//! B3, <https://github.com/openzipkin/b3-propagation>: one header, or several.
//!
//! Both forms are read, whichever is written; so the tables of what is read are the same.

use opentracing_http::propagation::B3;
use opentracing_http::{Baggage, SpanContext, TraceFlags};

use super::super::{Carries, Format, Found, Table, context};
use super::ids;

/// B3, written as one header.
#[must_use]
pub fn b3_single() -> Format {
    let tables = [single(), multi(), both(), written_single()];
    Format::new(B3::single(), CARRIES, tables)
}

/// B3, written as several headers.
#[must_use]
pub fn b3_multi() -> Format {
    let tables = [single(), multi(), both(), written_multi()];
    Format::new(B3::multi(), CARRIES, tables)
}

const CARRIES: Carries = Carries {
    debug: true,
    deferred: true,
    ..Carries::IDS_AND_DECISION
};

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN: &str = "e457b5a2e4d86bd1";
const PARENT: &str = "05e3ac9a4f6e3b90";

fn short_ids(flags: TraceFlags) -> SpanContext {
    context(0x64fe_8b2a_57d3_eff7, 0xe457_b5a2_e4d8_6bd1, flags)
}

fn single() -> Table {
    let mut table = Table::new()
        .rule("B3, single header: trace id, span id, then decision and parent or one of them");
    for (end, flags) in [
        ("", TraceFlags::DEFERRED),
        ("-0", TraceFlags::NOT_SAMPLED),
        ("-1", TraceFlags::SAMPLED),
        ("-d", TraceFlags::DEBUG),
        ("-1-05e3ac9a4f6e3b90", TraceFlags::SAMPLED),
        ("-0-05e3ac9a4f6e3b90", TraceFlags::NOT_SAMPLED),
        ("-d-05e3ac9a4f6e3b90", TraceFlags::DEBUG),
        // Some tracers write zeros for a root's parent.
        ("-1-0000000000000000", TraceFlags::SAMPLED),
        ("-05e3ac9a4f6e3b90", TraceFlags::DEFERRED),
        (" \t", TraceFlags::DEFERRED),
    ] {
        table = table
            .reads(&[("b3", format!("{TRACE}-{SPAN}{end}"))], ids(flags))
            .reads(
                &[("B3", format!(" {}-{SPAN}{end}", &TRACE[16..]))],
                short_ids(flags),
            );
    }

    table = table.rule("B3, single header, sampling state without ids; a peer drops it");
    for (value, flags) in [
        ("0", TraceFlags::NOT_SAMPLED),
        ("1", TraceFlags::SAMPLED),
        ("d", TraceFlags::DEBUG),
        (" d ", TraceFlags::DEBUG),
    ] {
        table = table.reads(&[("b3", value)], Found::decision(flags));
    }
    table = table.refuses_each(
        "b3",
        &[
            "", " ", "-", "--", "---", "2", "D", "00", "01", "1-1", "true", "d-",
        ],
    );

    table = table.rule("B3, trace id: 16 or 32 lower-case digits, not all zero");
    let (upper, short, long) = (TRACE.to_uppercase(), &TRACE[1..], format!("0{TRACE}"));
    let zeros = "0".repeat(32);
    for trace in [
        "",
        &upper,
        short,
        &long,
        &TRACE[15..],
        &TRACE[17..],
        &format!("+{short}"),
        &format!("{TRACE} "),
        &zeros,
        &zeros[16..],
        &format!("0x{}", &TRACE[2..]),
    ] {
        table = table.refuses(&[("b3", format!("{trace}-{SPAN}-1"))]);
    }
    table = table.rule("B3, span id: 16 lower-case digits, not all zero");
    for span in [
        "",
        &SPAN.to_uppercase(),
        &SPAN[1..],
        &format!("0{SPAN}"),
        &format!("+{}", &SPAN[1..]),
        &zeros[16..],
        TRACE,
        "1",
    ] {
        table = table.refuses(&[("b3", format!("{TRACE}-{span}-1"))]);
    }
    table = table.rule("B3, single header: nothing else, and nothing behind it");
    let nothing_else = [
        TRACE.to_owned(),
        format!("{TRACE}-"),
        format!("{TRACE}-{SPAN}-"),
        format!("{TRACE}-{SPAN}-2"),
        format!("{TRACE}-{SPAN}-D"),
        format!("{TRACE}-{SPAN}-true"),
        format!("{TRACE}-{SPAN}-1-"),
        format!("{TRACE}-{SPAN}-1-{}", &SPAN[1..]),
        format!("{TRACE}-{SPAN}-1-{SPAN}0"),
        format!("{TRACE}-{SPAN}-1-+{}", &SPAN[1..]),
        format!("{TRACE}-{SPAN}-1-{}", SPAN.to_uppercase()),
        format!("{TRACE}-{SPAN}-1-{SPAN}-1"),
        format!("{TRACE}-{SPAN}-1-{SPAN}-"),
        format!("{TRACE}-{SPAN}-1-1"),
        format!("{TRACE}-{SPAN}-{SPAN}-1"),
        format!("{TRACE}-{SPAN}--{SPAN}"),
        format!("{TRACE}-{SPAN}-1,{TRACE}-{SPAN}-1"),
        format!("{TRACE}_{SPAN}_1"),
        format!("{TRACE}-{SPAN}-1\n"),
        "-".repeat(100_000),
    ];
    table
        .refuses_each("b3", &nothing_else)
        .refuses_each(
            "b3",
            &[
                &b"\xff"[..],
                b"80f198ee56343ba864fe8b2a57d3eff7-\xff457b5a2e4d86bd1-1",
            ],
        )
        .rule("One header only: which of two ids counts cannot be known")
        .refuses(&[("b3", "0"), ("b3", "0")])
}

fn multi() -> Table {
    let (trace, span) = (("X-B3-TraceId", TRACE), ("x-b3-spanid", SPAN));
    let mut table =
        Table::new().rule("B3, multiple headers: sampled, or debug, which implies it, or deferred");
    let rows: &[(&[(&str, &str)], TraceFlags)] = &[
        (&[], TraceFlags::DEFERRED),
        (&[("x-b3-sampled", "1")], TraceFlags::SAMPLED),
        (&[("x-b3-sampled", "0")], TraceFlags::NOT_SAMPLED),
        // Tracers from before the specification send words.
        (&[("x-b3-sampled", " true")], TraceFlags::SAMPLED),
        (&[("x-b3-sampled", "True")], TraceFlags::SAMPLED),
        (&[("x-b3-sampled", "false")], TraceFlags::NOT_SAMPLED),
        (&[("x-b3-sampled", "FALSE")], TraceFlags::NOT_SAMPLED),
        (&[("x-b3-flags", "1")], TraceFlags::DEBUG),
        (&[("x-b3-flags", " 1\t")], TraceFlags::DEBUG),
        (
            &[("x-b3-flags", "1"), ("x-b3-sampled", "0")],
            TraceFlags::DEBUG,
        ),
        // A peer takes this one for not sampled.
        (
            &[("x-b3-flags", "0"), ("x-b3-sampled", "1")],
            TraceFlags::SAMPLED,
        ),
        (&[("x-b3-flags", "")], TraceFlags::DEFERRED),
        (&[("x-b3-flags", "2")], TraceFlags::DEFERRED),
        (&[("x-b3-parentspanid", PARENT)], TraceFlags::DEFERRED),
        (
            &[
                ("x-b3-parentspanid", "0000000000000000"),
                ("x-b3-sampled", "1"),
            ],
            TraceFlags::SAMPLED,
        ),
    ];
    for (more, flags) in rows {
        table = table.reads(&[&[trace, span][..], more].concat(), ids(*flags));
    }
    table = table.reads(
        &[("x-b3-traceid", &TRACE[16..]), span],
        short_ids(TraceFlags::DEFERRED),
    );

    table = table.rule("B3, multiple headers, sampling state without ids; a peer drops it");
    let rows: &[(&[(&str, &str)], TraceFlags)] = &[
        (&[("X-B3-Sampled", "0")], TraceFlags::NOT_SAMPLED),
        (&[("X-B3-Sampled", "1")], TraceFlags::SAMPLED),
        (&[("X-B3-Sampled", "false")], TraceFlags::NOT_SAMPLED),
        (&[("X-B3-Sampled", "True")], TraceFlags::SAMPLED),
        (&[("X-B3-Flags", "1")], TraceFlags::DEBUG),
        (
            &[("X-B3-Flags", "1"), ("X-B3-Sampled", "0")],
            TraceFlags::DEBUG,
        ),
        (
            &[("X-B3-Flags", "0"), ("X-B3-Sampled", "1")],
            TraceFlags::SAMPLED,
        ),
        (
            &[("X-B3-Flags", "any"), ("X-B3-Sampled", "0")],
            TraceFlags::NOT_SAMPLED,
        ),
        // Of a decision's values the first wins.
        (
            &[("X-B3-Sampled", "0"), ("X-B3-Sampled", "1")],
            TraceFlags::NOT_SAMPLED,
        ),
        (
            &[("X-B3-Flags", "1"), ("X-B3-Flags", "0")],
            TraceFlags::DEBUG,
        ),
        (
            &[("X-B3-Sampled", "1"), ("X-B3-ParentSpanId", PARENT)],
            TraceFlags::SAMPLED,
        ),
    ];
    for (headers, flags) in rows {
        table = table.reads(headers, Found::decision(*flags));
    }
    table = table
        .passes_over(&[("x-b3-flags", "0")])
        .passes_over(&[("x-b3-parentspanid", SPAN)])
        .refuses_each("x-b3-sampled", &["maybe", "d", "", "2", "10", "truer"])
        .refuses_each("x-b3-sampled", &[b"\xff"]);

    table = table.rule("B3, multiple headers: both ids, each 16 lower-case digits, the trace's perhaps 32, not all zero");
    let upper = TRACE.to_uppercase();
    for bad in [
        &[trace][..],
        &[span],
        &[trace, ("x-b3-sampled", "1")],
        &[span, ("x-b3-flags", "1")],
        &[trace, ("x-b3-spanid", "")],
        &[("x-b3-traceid", ""), span],
        &[("x-b3-traceid", "not-hex"), span, ("x-b3-sampled", "0")],
        &[("x-b3-traceid", &upper), span],
        &[("x-b3-traceid", "00000000000000000000000000000000"), span],
        &[("x-b3-traceid", "0000000000000000"), span],
        &[("x-b3-traceid", &TRACE[1..]), span],
        &[("x-b3-traceid", &TRACE[17..]), span],
        &[trace, ("x-b3-spanid", "0000000000000000")],
        &[trace, ("x-b3-spanid", "+457b5a2e4d86bd1")],
        &[trace, ("x-b3-spanid", "457b5a2e4d86bd1")],
        &[trace, ("x-b3-spanid", TRACE)],
        &[trace, span, ("x-b3-sampled", "2")],
        &[trace, span, ("x-b3-sampled", "")],
        &[trace, span, ("x-b3-parentspanid", "1")],
        &[trace, span, ("x-b3-parentspanid", "")],
        &[trace, span, ("x-b3-parentspanid", "\u{e4}")],
        &[trace, span, ("x-b3-parentspanid", TRACE)],
        // Which of two ids counts cannot be known.
        &[trace, trace, span],
        &[trace, span, span],
        &[
            trace,
            span,
            ("x-b3-parentspanid", SPAN),
            ("x-b3-parentspanid", SPAN),
        ],
    ] {
        table = table.refuses(bad);
    }
    table
}

fn both() -> Table {
    let multi = [
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", SPAN),
        ("x-b3-sampled", "1"),
    ];
    let valid = format!("{TRACE}-00000000000000aa-0");
    let single = context(
        0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
        0xaa,
        TraceFlags::NOT_SAMPLED,
    );
    let fallen_back = || Found::from(ids(TraceFlags::SAMPLED)).and_refused();
    Table::new()
        .rule("B3, single header: it wins over the others")
        .reads(&[&multi[..], &[("b3", &valid)]].concat(), single)
        .reads(&[("b3", "0"), ("X-B3-Sampled", "1")], Found::decision(TraceFlags::NOT_SAMPLED))
        .reads(&[&multi[..], &[("b3", "0")]].concat(), Found::decision(TraceFlags::NOT_SAMPLED))
        .rule("A single header that breaks the grammar is counted, and the others are tried, as Brave does")
        .reads(&[&[("b3", "bad")], &multi[..]].concat(), fallen_back())
        .reads(&[&[("b3", &*valid), ("b3", &valid)], &multi[..]].concat(), fallen_back())
        .reads(
            &[("b3", "bad"), ("x-b3-sampled", "0")],
            Found::decision(TraceFlags::NOT_SAMPLED).and_refused(),
        )
        .refuses(&[("b3", "bad"), ("x-b3-sampled", "bad")])
}

/// Flags, and the decision that they are in the single header and in the others.
type Decision = (
    TraceFlags,
    &'static str,
    &'static [(&'static str, &'static str)],
);

fn decisions() -> [Decision; 7] {
    [
        (TraceFlags::SAMPLED, "-1", &[("x-b3-sampled", "1")]),
        (TraceFlags::NOT_SAMPLED, "-0", &[("x-b3-sampled", "0")]),
        (
            TraceFlags::SAMPLED.with_random(true),
            "-1",
            &[("x-b3-sampled", "1")],
        ),
        (TraceFlags::DEBUG, "-d", &[("x-b3-flags", "1")]),
        // Debug implies sampled here, which Jaeger's flag alone does not.
        (
            TraceFlags::NOT_SAMPLED.with_debug(),
            "-0",
            &[("x-b3-sampled", "0")],
        ),
        (TraceFlags::DEFERRED, "", &[]),
        // A peer takes this bit for its own, deferred.
        (
            TraceFlags::NOT_SAMPLED.with_random(true),
            "-0",
            &[("x-b3-sampled", "0")],
        ),
    ]
}

fn written_single() -> Table {
    let mut table = Table::new()
        .rule("B3, single header: a decision unless it is deferred, no parent, no other header");
    for (flags, end, _) in decisions() {
        table = table
            .writes(ids(flags), &[("b3", &format!("{TRACE}-{SPAN}{end}"))])
            .writes(
                short_ids(flags),
                &[("b3", &format!("{}-{SPAN}{end}", &TRACE[16..]))],
            );
    }
    let just_wide = context(1 << 64, 1, TraceFlags::DEFERRED);
    table
        .rule("B3: 16 digits of the trace id where they are enough, which some receivers need")
        .writes(
            context(0xabc, 1, TraceFlags::DEFERRED),
            &[("b3", "0000000000000abc-0000000000000001")],
        )
        .writes(
            just_wide,
            &[("b3", "00000000000000010000000000000000-0000000000000001")],
        )
        .rule("Without a trace there is nothing to write: no denial, and no baggage")
        .writes(one_item(), &[])
        .writes_over(&[("b3", "0")], one_item(), &[])
}

fn written_multi() -> Table {
    let (trace, span) = (("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN));
    let stale = [
        ("x-b3-traceid", "old"),
        ("x-b3-spanid", "old"),
        ("x-b3-parentspanid", PARENT),
        ("x-b3-sampled", "0"),
        ("x-b3-flags", "0"),
    ];
    let mut table =
        Table::new().rule("B3, multiple headers: the decision, or debug alone, or none; no parent");
    for (flags, _, decision) in decisions() {
        let headers = [&[trace, span][..], decision].concat();
        table = table
            .writes(ids(flags), &headers)
            .writes_over(&stale, ids(flags), &headers);
    }
    table
        .rule("B3: 16 digits of the trace id where they are enough, which some receivers need")
        .writes(
            context(0xabc, 1, TraceFlags::DEFERRED),
            &[
                ("x-b3-traceid", "0000000000000abc"),
                ("x-b3-spanid", "0000000000000001"),
            ],
        )
        .rule("Without a trace there is nothing to write: no denial, and no baggage")
        .writes(one_item(), &[])
        .writes_over(&stale, one_item(), &[])
}

fn one_item() -> Baggage {
    let mut baggage = Baggage::new();
    assert!(baggage.set("a", "1"));
    baggage
}
