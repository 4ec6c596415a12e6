//! Jaeger, <https://www.jaegertracing.io/sdk-migration/#propagation-format>.

use opentracing_http::propagation::{Extraction, Jaeger};
use opentracing_http::{Baggage, SpanContext, TraceFlags};

use super::super::{Carries, Format, Found, Table, context};
use super::{ids as long, members};

/// Jaeger's own format: `uber-trace-id`, `uberctx-*`, `jaeger-baggage` and `jaeger-debug-id`.
#[must_use]
pub fn jaeger() -> Format {
    let carries = Carries {
        debug: true,
        debug_alone: true,
        baggage: true,
        ..Carries::IDS_AND_DECISION
    };
    let tables = [
        ids(),
        bad_ids(),
        debug_ids(),
        items(),
        lists(),
        bounds(),
        written(),
    ];
    Format::new(Jaeger, carries, tables).family("uberctx-")
}

const IDS: &str = "uber-trace-id";
const VALID: &str = "80f198ee56343ba864fe8b2a57d3eff7:e457b5a2e4d86bd1:0:1";

fn valid() -> SpanContext {
    long(TraceFlags::SAMPLED)
}

fn short(flags: TraceFlags) -> SpanContext {
    context(0xabc, 0x12, flags)
}

fn ids() -> Table {
    let (sampled, debug) = (short(TraceFlags::SAMPLED), short(TraceFlags::DEBUG));
    let not_sampled = short(TraceFlags::NOT_SAMPLED);
    let debug_alone = short(TraceFlags::NOT_SAMPLED.with_debug());
    let mut table = Table::new();
    for (rule, value, found) in [
        ("Trace id, span id, parent id, flags", VALID, &valid()),
        (
            "",
            "80f198ee56343ba864fe8b2a57d3eff7:e457b5a2e4d86bd1:0:0",
            &long(TraceFlags::NOT_SAMPLED),
        ),
        (
            "Base16, of either case",
            "80F198EE56343BA864FE8B2A57D3EFF7:E457B5A2E4D86BD1:0:1",
            &valid(),
        ),
        (
            "Ids of up to 32 and 16 digits, with zeros on the left where they are shorter",
            " \tabc:12:0:0 ",
            &not_sampled,
        ),
        ("", "1:1:1:1", &context(1, 1, TraceFlags::SAMPLED)),
        ("", "0abc:012:0:1", &sampled),
        (
            "",
            "64fe8b2a57d3eff7:e457b5a2e4d86bd1:0:1",
            &context(
                0x64fe_8b2a_57d3_eff7,
                0xe457_b5a2_e4d8_6bd1,
                TraceFlags::SAMPLED,
            ),
        ),
        (
            "The parent id is out of use",
            "00000000000000000000000000000abc:0000000000000012:e457b5a2e4d86bd1:01",
            &sampled,
        ),
        ("", "abc:12:E457B5A2E4D86BD1:1", &sampled),
        (
            "Flags: 1 is sampled, 2 is debug, alone or beside it, 8 is firehose and not kept",
            "abc:12:0:2",
            &debug_alone,
        ),
        ("", "abc:12:0:02", &debug_alone),
        ("", "abc:12:0:a", &debug_alone),
        ("", "abc:12:0:3", &debug),
        ("", "abc:12:0:4", &not_sampled),
        ("", "abc:12:0:8", &not_sampled),
        ("", "abc:12:0:9", &sampled),
        ("", "abc:12:0:b", &debug),
        ("", "abc:12:0:f", &debug),
        ("", "abc:12:0:F", &debug),
        ("", "abc:12:0:ff", &debug),
        ("", "abc:12:0:00", &not_sampled),
        // The reference client for Go reads decimal: 11 would be debug.
        ("Flags are hexadecimal", "abc:12:0:11", &sampled),
        ("", "abc:12:0:10", &not_sampled),
        // A peer refuses them.
        (
            "Clients percent-encode the colons, all or some",
            "abc%3A12%3A0%3A1",
            &sampled,
        ),
        ("", "abc%3a12:0%3a1", &sampled),
    ] {
        if !rule.is_empty() {
            table = table.rule(rule);
        }
        table = table.reads(&[("Uber-Trace-Id", value)], found.clone());
    }
    table
}

fn bad_ids() -> Table {
    Table::new()
        .rule("Four fields with colons between")
        .refuses_each(
            IDS,
            &[
                &b""[..],
                b":",
                b":::",
                b"1:1:1",
                b"1:1:1:",
                b":1:1:1",
                b"1::1:1",
                b"1:1::1",
                b"1:1:1:1:1",
                b"1:1:1:1:",
                b"a:1:0:1\n",
                b"a:1:0:1\0",
                b"a;1;0;1",
                b"a%253A1%253A0%253A1",
                b"a%3B1%3B0%3B1",
                b"a%4a1%4a0%4a1",
                b"a%3",
                b"a%",
                b"a:1:0:1,a:1:0:1",
                &[b':'; 100_000],
                &[b'1'; 100_000],
                &[b'%'; 100_000],
            ],
        )
        // Zero ids pass in a peer.
        .rule("Ids are not zero")
        .refuses_each(
            IDS,
            &[
                "0:0:0:1",
                "0:1:0:1",
                "1:0:0:1",
                "00000000000000000000000000000000:1:0:1",
                "1:0000000000000000:0:1",
            ],
        )
        .rule("At most 32, 16, 16 and 2 hexadecimal digits, and nothing else")
        .refuses_each(
            IDS,
            &[
                &b"000000000000000000000000000000001:1:0:1"[..],
                b"1:00000000000000001:0:1",
                b"1:1:00000000000000001:1",
                b"1:1:0:001",
                b"1:1:0:100",
                b"1:1:0:g",
                b"g:1:0:1",
                b"1:g:0:1",
                b"1:1:g:1",
                b"G:1:0:1",
                b"@:1:0:1",
                b"`:1:0:1",
                b"/:1:0:1",
                b"+a:1:0:1",
                b"a:+1:0:1",
                b"a:1:+0:1",
                b"a:1:0:+1",
                b"a:1:0:-1",
                b"0xa:1:0:1",
                b"a :1:0:1",
                b"a: 1:0:1",
                b"a:1:0: 1",
                b"a:1:0:%31",
                b"\xff:1:0:1",
                b"a:1:0:\xff",
            ],
        )
        .rule("One header only: which of two ids counts cannot be known")
        .refuses(&[(IDS, VALID), (IDS, VALID)])
        .refuses(&[(IDS, VALID), ("Uber-Trace-Id", "1:1:0:1")])
}

fn debug_ids() -> Table {
    let mut table =
        Table::new().rule("jaeger-debug-id: any text, taken as it stands, alone or beside ids");
    let rows: &[(&[u8], Option<&str>)] = &[
        (b"some-correlation-id", Some("some-correlation-id")),
        (b" a b ", Some("a b")),
        ("für+mich%20".as_bytes(), Some("für+mich%20")),
        (b"", None),
        (b" \t", None),
        (b"\xff", None),
        (b"a\xff", None),
    ];
    let found =
        |found: Found, id: Option<&str>| id.map_or(found.clone(), |id| found.with_debug_id(id));
    for (value, id) in rows {
        table = table
            .reads(&[("jaeger-debug-id", *value)], found(Found::default(), *id))
            .reads(
                &[("jaeger-debug-id", *value), (IDS, VALID.as_bytes())],
                found(valid().into(), *id),
            );
    }
    let (limit, euro) = ("d".repeat(Extraction::MAX_DEBUG_ID), "\u{20ac}");
    table
        .reads(
            &[("jaeger-debug-id", "first"), ("jaeger-debug-id", "second")],
            Found::default().with_debug_id("first"),
        )
        .reads(
            &[("jaeger-debug-id", "mine"), (IDS, "bad")],
            Found::default().with_debug_id("mine").and_refused(),
        )
        .rule("No more of a debug id is kept than the bound, and no part of a character")
        .reads(
            &[("jaeger-debug-id", &limit)],
            Found::default().with_debug_id(&limit),
        )
        .reads(
            &[("jaeger-debug-id", format!("{limit}d"))],
            Found::default().with_debug_id(&limit),
        )
        .reads(
            &[("jaeger-debug-id", euro.repeat(100_000))],
            Found::default().with_debug_id(&euro.repeat(Extraction::MAX_DEBUG_ID / 3)),
        )
}

fn items() -> Table {
    Table::new()
        .rule("uberctx-*: a header for each item, its value as an HTML form has it")
        .reads(
            &[
                ("uberctx-tenant", &b"blue"[..]),
                ("Uberctx-User-Id", b"J%c3%BCrgen+M%2B"),
                ("uberctx-empty", b""),
                ("uberctx-raw", "grün, 5% = b".as_bytes()),
                ("uberctx-latin", b"gr\xfcn"),
                ("uberctx-escaped", b"%ff"),
                ("uber-ctx", b"no"),
                ("uberctx", b"no"),
                ("uberct", b"no"),
            ],
            Found::default().with_items(&[
                ("tenant", "blue"),
                ("user-id", "Jürgen M+"),
                ("empty", ""),
                ("raw", "grün, 5% = b"),
                ("latin", "gr\u{fffd}n"),
                ("escaped", "\u{fffd}"),
            ]),
        )
        .reads(
            &[("uberctx-a", "1"), (IDS, VALID)],
            Found::from(valid()).with_item("a", "1", ""),
        )
        .rule("The first of a key stays; HTTP takes its case away")
        .reads(
            &[
                ("uberctx-tenant", "first"),
                ("uberctx-tenant", "second"),
                ("UBERCTX-TENANT", "third"),
            ],
            Found::default().with_item("tenant", "first", ""),
        )
        .reads(
            &[("uberctx-k1", "own"), ("jaeger-baggage", "k1=list,k2=list")],
            Found::default().with_items(&[("k1", "own"), ("k2", "list")]),
        )
        .rule("A key is a token: what W3C and HTTP can carry on")
        .reads(
            &[
                ("uberctx-", "empty key"),
                ("uberctx-a b", "blank"),
                ("uberctx-\u{e4}", "no token"),
                ("uberctx-a:b", "no token"),
                ("uberctx-ok", "1"),
                (IDS, VALID),
            ],
            Found::from(valid()).with_item("ok", "1", "").and_refused(),
        )
        .refuses(&[("uberctx-", "empty key")])
        .passes_over(&[("\u{fc}berctx-a", "1"), ("uberctx\u{e4}", "1")])
        .rule("Baggage does not depend on the ids")
        .reads(
            &[("uberctx-a", "1"), (IDS, "bad")],
            Found::default().with_item("a", "1", "").and_refused(),
        )
}

fn lists() -> Table {
    let mut table = Table::new()
        .rule("jaeger-baggage: pairs of people's own, in one header or several")
        .reads(
            &[
                ("jaeger-baggage", "k1=v1, k2 = v2,,K3=a%20b+c=="),
                ("jaeger-baggage", "k4=x%2Cy,k1=second, k5="),
            ],
            Found::default().with_items(&[
                ("k1", "v1"),
                ("k2", "v2"),
                ("K3", "a b c=="),
                ("k4", "x,y"),
                ("k5", ""),
            ]),
        )
        .passes_over(&[("jaeger-baggage", "")])
        .passes_over(&[("jaeger-baggage", " ,\t, ")])
        .rule("jaeger-baggage: a bad pair is left out alone");
    for bad in [&b"bad"[..], b"=1", b" =1", b"b d=1", b"\xff=1"] {
        table = table.reads(
            &[("jaeger-baggage", [b"a=1,", bad, b",c=3"].concat())],
            Found::default()
                .with_items(&[("a", "1"), ("c", "3")])
                .and_refused(),
        );
    }
    table
}

fn bounds() -> Table {
    let none = Found::default;
    let named = |n: usize| -> Vec<(String, &'static str)> {
        (0..n).map(|n| (format!("uberctx-k{n:02}"), "v")).collect()
    };
    let sixty_four = (0..64).fold(none(), |found, n| {
        found.with_item(&format!("k{n:02}"), "v", "")
    });
    let mut table = Table::new().rule("64 items, and no more");
    for (n, found) in [
        (64, sixty_four.clone()),
        (65, sixty_four.clone().and_refused()),
    ] {
        let headers = named(n);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        table = table
            .reads(&headers, found.clone())
            .reads(&[("jaeger-baggage", members(n, "v"))], found);
    }

    let limit = "v".repeat(Baggage::MAX_BYTES - 2);
    let (long, longer) = (format!("{limit}v"), format!("{limit}vv"));
    let (huge, half) = ("v".repeat(1_000_000), "\u{fffd}".repeat(1_365));
    let ends = none().with_items(&[("a", "1"), ("b", "2")]);
    table
        .rule("8,192 bytes as they come, and no more; never a part of an item")
        .reads(&[("uberctx-k", &long)], none().with_item("k", &long, ""))
        .refuses(&[("uberctx-k", &longer)])
        .reads(
            &[("jaeger-baggage", format!("k={limit}"))],
            none().with_item("k", &limit, ""),
        )
        .refuses(&[("jaeger-baggage", format!("k={long}"))])
        .reads(
            &[("uberctx-k", &*limit), ("jaeger-baggage", "l=")],
            none().with_item("k", &limit, "").and_refused(),
        )
        .reads(
            &[
                ("uberctx-a", "1"),
                ("uberctx-huge", &huge),
                ("uberctx-b", "2"),
            ],
            ends.clone().and_refused(),
        )
        .reads(
            &[("jaeger-baggage", format!("a=1,huge={huge},b=2"))],
            ends.and_refused(),
        )
        .rule("8,192 bytes decoded, and no more: what is not UTF-8 grows")
        .reads(
            &[("uberctx-ke", vec![0xff; 2_730])],
            none().with_item("ke", &"\u{fffd}".repeat(2_730), ""),
        )
        .refuses(&[("uberctx-key", vec![0xff; 2_730])])
        .reads(
            &[
                ("uberctx-a", vec![0xff; 1_365]),
                ("uberctx-b", vec![0xff; 1_365]),
                ("uberctx-c", Vec::new()),
            ],
            none()
                .with_items(&[("a", &half), ("b", &half)])
                .and_refused(),
        )
}

fn written() -> Table {
    let mut table =
        Table::new().rule("All the digits of the ids, zero for the parent, and the known flags");
    for (flags, end) in [
        (TraceFlags::NOT_SAMPLED, "0"),
        (TraceFlags::SAMPLED, "1"),
        (TraceFlags::SAMPLED.with_random(true), "1"),
        (TraceFlags::NOT_SAMPLED.with_random(true), "0"),
        (TraceFlags::DEBUG, "3"),
        (TraceFlags::NOT_SAMPLED.with_debug(), "2"),
        (TraceFlags::DEFERRED, "0"),
    ] {
        let value = format!("00000000000000000000000000000abc:0000000000000012:0:{end}");
        table = table.writes(short(flags), &[(IDS, &value)]);
    }
    let mut baggage = Baggage::new();
    assert!(
        baggage.set_with_properties("userId", "Jürgen M+\r\n%", "p=1")
            && baggage.set("b", "")
            && baggage.set("unreserved", "aZ09-._~")
            && baggage.set("reserved", "!*'(),;:@&=+$/?#[]")
    );
    let headers = [
        ("uberctx-userid", "J%C3%BCrgen%20M%2B%0D%0A%25"),
        ("uberctx-b", ""),
        ("uberctx-unreserved", "aZ09-._~"),
        (
            "uberctx-reserved",
            "%21%2A%27%28%29%2C%3B%3A%40%26%3D%2B%24%2F%3F%23%5B%5D",
        ),
    ];
    let mut twice = Baggage::new();
    assert!(twice.set("Tenant", "first") && twice.set("tenant", "second") && twice.set("b", "2"));
    let limit = "v".repeat(Baggage::MAX_BYTES - 1);
    let mut longest = Baggage::new();
    assert!(longest.set("k", &limit));
    let grown = |key: &str| {
        let mut baggage = Baggage::new();
        assert!(baggage.set(key, &"\u{20ac}".repeat(910)) && baggage.set("b", "2"));
        baggage
    };
    table
        .rule("uberctx-*: a lower-case header for each item, percent-encoded but for what nobody decodes")
        .writes(baggage.clone(), &headers)
        .writes(
            valid().with_baggage(baggage),
            &[&[(IDS, VALID)], &headers[..]].concat(),
        )
        .rule("Keys that differ in case alone are one header, and the first wins")
        .writes(twice, &[("uberctx-tenant", "first"), ("uberctx-b", "2")])
        .rule("8,192 bytes of keys and encoded values, whole items only")
        .writes(longest, &[("uberctx-k", &limit)])
        .writes(grown("ke"), &[("uberctx-ke", &"%E2%82%AC".repeat(910))])
        .writes(grown("key"), &[("uberctx-b", "2")])
        .rule("All that was there under the format's names is gone")
        .writes_over(
            &[("Uberctx-C", "old"), ("uberctx-", "old"), ("UBER-TRACE-ID", "old")],
            valid(),
            &[(IDS, VALID)],
        )
        .writes_over(&[("uberctx-c", "old"), (IDS, "old")], Baggage::new(), &[])
}
