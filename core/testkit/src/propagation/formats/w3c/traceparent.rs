use opentracing_http::{Baggage, TraceFlags};

use super::super::super::{Found, Table, context};
use super::{VALID, ids, sampled};

const TRACEPARENT: &str = "traceparent";

pub(super) fn table() -> Table {
    let random = |flags: TraceFlags| ids(flags.with_random(true));
    let (not_sampled, other_ids) = (
        ids(TraceFlags::NOT_SAMPLED),
        context(
            0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
            0xe457_b5a2_e4d8_6bd1,
            TraceFlags::SAMPLED,
        ),
    );
    let reads = |table: Table, value: &str, found: &opentracing_http::SpanContext| {
        table.reads(&[(TRACEPARENT, value)], found.clone())
    };

    let mut table = Table::new().rule("Trace Context 2, 3.2: version, trace id, parent id, flags");
    table = reads(table, VALID, &sampled());
    table = reads(
        table,
        "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01",
        &other_ids,
    );
    table = table.refuses_each(
        TRACEPARENT,
        &[
            &b""[..],
            b" ",
            b"00",
            b"00-",
            b"---",
            b"00_12345678901234567890123456789012-1234567890123456-01",
            b"00-12345678901234567890123456789012_1234567890123456-01",
            b"00-12345678901234567890123456789012-1234567890123456_01",
            b"00-12345678901234567890123456789012-1234567890123456-01\n",
            b"00-12345678901234567890123456789012-1234567890123456-01\0",
            b"00-12345678901234567890123456789012-1234567890123456-01,00-12345678901234567890123456789012-1234567890123456-01",
            b"\xff\xfe",
            &[b'0'; 100_000],
            &[b' '; 100_000],
        ],
    );

    table = table.rule("Trace Context 2, 3.2.2.1: the version is two lower-case digits, not ff; 00 has 55 characters");
    table = table.refuses_each(
        TRACEPARENT,
        &[
            &b"00-12345678901234567890123456789012-1234567890123456-01."[..],
            b"00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
            // A peer reads this one.
            b"00-12345678901234567890123456789012-1234567890123456-01-",
            b"ff-12345678901234567890123456789012-1234567890123456-01",
            b"ff-12345678901234567890123456789012-1234567890123456-01-more",
            b".0-12345678901234567890123456789012-1234567890123456-01",
            b"0.-12345678901234567890123456789012-1234567890123456-01",
            // Peers read these two.
            b"CC-12345678901234567890123456789012-1234567890123456-01",
            b"+0-12345678901234567890123456789012-1234567890123456-01",
            b"000-12345678901234567890123456789012-1234567890123456-01",
            b"0000-12345678901234567890123456789012-1234567890123456-01",
            b"0-12345678901234567890123456789012-1234567890123456-01",
            b"-12345678901234567890123456789012-1234567890123456-01",
        ],
    );

    table = table.rule("Trace Context 2, 3.2.4: a later version may have more behind a dash");
    for value in [
        "01-12345678901234567890123456789012-1234567890123456-01",
        "cc-12345678901234567890123456789012-1234567890123456-01",
        "cc-12345678901234567890123456789012-1234567890123456-01-",
        "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
        "fe-12345678901234567890123456789012-1234567890123456-01-\u{e4}",
    ] {
        table = reads(table, value, &sampled());
    }
    table = table.refuses_each(
        TRACEPARENT,
        &[
            "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like",
            "cc-12345678901234567890123456789012-1234567890123456-012",
            "cc-12345678901234567890123456789012-1234567890123456-0",
            "cc-00000000000000000000000000000000-1234567890123456-01",
        ],
    );

    table =
        table.rule("Trace Context 2, 3.2.2.3: the trace id is 32 lower-case digits, not all zero");
    table = table.refuses_each(
        TRACEPARENT,
        &[
            &b"00-00000000000000000000000000000000-1234567890123456-01"[..],
            b"00-.2345678901234567890123456789012-1234567890123456-01",
            b"00-1234567890123456789012345678901.-1234567890123456-01",
            b"00-ABCDEF78901234567890123456789012-1234567890123456-01",
            b"00-1234567890123456789012345678901F-1234567890123456-01",
            // Peers read a sign.
            b"00-+2345678901234567890123456789012-1234567890123456-01",
            b"00-0x345678901234567890123456789012-1234567890123456-01",
            b"00- 2345678901234567890123456789012-1234567890123456-01",
            b"00-123456789012345678901234567890123-1234567890123456-01",
            // And short ids.
            b"00-1234567890123456789012345678901-1234567890123456-01",
            b"00-1234567890123456-1234567890123456-01",
            b"00-1-1234567890123456-01",
            b"00--1234567890123456-01",
            b"00-1234567890123456789012345678901\xff-1234567890123456-01",
        ],
    );

    table =
        table.rule("Trace Context 2, 3.2.2.4: the parent id is 16 lower-case digits, not all zero");
    table = table.refuses_each(
        TRACEPARENT,
        &[
            "00-12345678901234567890123456789012-0000000000000000-01",
            "00-12345678901234567890123456789012-.234567890123456-01",
            "00-12345678901234567890123456789012-123456789012345.-01",
            "00-12345678901234567890123456789012-+234567890123456-01",
            "00-12345678901234567890123456789012-12345678901234AF-01",
            "00-12345678901234567890123456789012-12345678901234567-01",
            "00-12345678901234567890123456789012-123456789012345-01",
            "00-12345678901234567890123456789012--01",
        ],
    );

    table = table.rule(
        "Trace Context 2, 3.2.2.5: two digits; the bits sampled and random, the others are ignored",
    );
    for (value, found) in [
        (
            "00-12345678901234567890123456789012-1234567890123456-00",
            &not_sampled,
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-02",
            &random(TraceFlags::NOT_SAMPLED),
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-03",
            &random(TraceFlags::SAMPLED),
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-ff",
            &random(TraceFlags::SAMPLED),
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-fc",
            &not_sampled,
        ),
        (
            "00-12345678901234567890123456789012-1234567890123456-10",
            &not_sampled,
        ),
    ] {
        table = reads(table, value, found);
    }
    table = table.refuses_each(
        TRACEPARENT,
        &[
            "00-12345678901234567890123456789012-1234567890123456-.0",
            "00-12345678901234567890123456789012-1234567890123456-0.",
            "00-12345678901234567890123456789012-1234567890123456-+1",
            "00-12345678901234567890123456789012-1234567890123456-0F",
            "00-12345678901234567890123456789012-1234567890123456-001",
            "00-12345678901234567890123456789012-1234567890123456-1",
            "00-12345678901234567890123456789012-1234567890123456-",
            "00-12345678901234567890123456789012-1234567890123456",
        ],
    );

    table = table.rule("RFC 9110, 5.5: blanks round a value are not part of it");
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
        table = reads(table, &format!("{before}{VALID}{after}"), &sampled());
    }

    table = table.rule("Trace Context 2, 3.2: one header only");
    for second in [
        VALID,
        "00-12345678901234567890123456789011-1234567890123456-01",
        "",
    ] {
        table = table.refuses(&[(TRACEPARENT, VALID), ("TraceParent", second)]);
    }
    table
        .rule("Trace Context 2, 3.2.1: the name has no hyphen and no other character more")
        .passes_over(&[("trace-parent", VALID)])
        .passes_over(&[("trace.parent", VALID)])
        .rule("What level 2 does not know is not read from others' headers")
        .passes_over(&[("b3", "0"), ("x-b3-sampled", "1")])
        .passes_over(&[("jaeger-debug-id", "mine"), ("uberctx-a", "1")])
        .reads(
            &[
                (TRACEPARENT, VALID),
                ("uber-trace-id", "1:1:0:3"),
                ("b3", "d"),
            ],
            Found::from(sampled()),
        )
        .rule("Trace Context 2, 3.2.2: version 00, all the digits of the ids, the two known bits")
        .writes(
            context(0xabc, 0x12, TraceFlags::SAMPLED),
            &[(
                TRACEPARENT,
                "00-00000000000000000000000000000abc-0000000000000012-01",
            )],
        )
        .writes(
            context(0xabc, 0x12, TraceFlags::NOT_SAMPLED),
            &[(
                TRACEPARENT,
                "00-00000000000000000000000000000abc-0000000000000012-00",
            )],
        )
        .writes(
            random(TraceFlags::NOT_SAMPLED),
            &[(
                TRACEPARENT,
                "00-12345678901234567890123456789012-1234567890123456-02",
            )],
        )
        .writes(
            random(TraceFlags::SAMPLED),
            &[(
                TRACEPARENT,
                "00-12345678901234567890123456789012-1234567890123456-03",
            )],
        )
        .rule("Debug and a deferred decision have no bit in level 2")
        .writes(ids(TraceFlags::DEBUG), &[(TRACEPARENT, VALID)])
        .writes(
            ids(TraceFlags::DEFERRED),
            &[(
                TRACEPARENT,
                "00-12345678901234567890123456789012-1234567890123456-00",
            )],
        )
        .writes(Baggage::new(), &[])
}
