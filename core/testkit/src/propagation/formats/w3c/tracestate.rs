use opentracing_http::{Baggage, TraceState};

use super::super::super::{Found, Table};
use super::{VALID, members, sampled};

/// Beside a valid traceparent these headers are this list.
fn reads(table: Table, headers: &[&str], list: &str) -> Table {
    table.reads(&with_valid(headers), with_list(list))
}

/// Beside a valid traceparent these headers are thrown away as a whole, and the traceparent stays.
fn drops(table: Table, headers: &[&str]) -> Table {
    table.reads(&with_valid(headers), Found::from(sampled()).and_refused())
}

fn with_valid<'a>(headers: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    let headers = headers.iter().map(|value| ("tracestate", *value));
    [("traceparent", VALID)]
        .into_iter()
        .chain(headers)
        .collect()
}

fn with_list(list: &str) -> opentracing_http::SpanContext {
    let list = TraceState::parse([list.as_bytes()]).filter(|parsed| parsed.as_str() == list);
    sampled().with_tracestate(list.expect("the table's own lists are valid and plain"))
}

pub(super) fn table() -> Table {
    let table = write(order(names(values(keys(lists(Table::new()))))));
    table
        .rule("A tracestate of bytes that are not text is dropped")
        .reads(
            &[
                ("traceparent", VALID.as_bytes()),
                ("tracestate", b"foo=\xff"),
            ],
            Found::from(sampled()).and_refused(),
        )
        .reads(
            &[
                ("traceparent", VALID.as_bytes()),
                ("tracestate", b"foo=1,\xff=1"),
            ],
            Found::from(sampled()).and_refused(),
        )
}

fn lists(mut table: Table) -> Table {
    table =
        table.rule("Trace Context 2, 3.3.1.1: members in order, empty ones and blanks left out");
    for (headers, list) in [
        (&["foo=1,bar=2"][..], "foo=1,bar=2"),
        (&[""], ""),
        (&["", ""], ""),
        (&[" ,\t,, "], ""),
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        (&["foo=1,,bar=2,"], "foo=1,bar=2"),
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&[" foo=1"], "foo=1"),
        (&["\tfoo=1"], "foo=1"),
        (&["foo=1 "], "foo=1"),
        (&["foo=1\t"], "foo=1"),
        (&["\t foo=1 \t"], "foo=1"),
    ] {
        table = reads(table, headers, list);
    }
    table = table.rule("Trace Context 2, 3.3.1.3: several headers are one list");
    table = reads(
        table,
        &["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
        "foo=1,bar=2,rojo=1,congo=2,baz=3",
    );
    table = drops(table, &["foo=1", "bar"]);
    table = drops(table, &["bar", "foo=1"]);

    // What W3C's suite wants; a peer passes both on.
    table = table.rule("Of two members with one key the first stays");
    table = reads(table, &["foo=1,foo=1"], "foo=1");
    table = reads(table, &["foo=1,foo=2"], "foo=1");
    table = reads(table, &["foo=1", "foo=2,bar=3"], "foo=1,bar=3");

    table = table.rule("Trace Context 2, 3.3.1.1: at most 32 members, and none of more");
    let (full, ten) = (members(32, "v"), members(10, "v"));
    table = reads(table, &[&full], &full);
    let rest = full.strip_prefix(&ten).unwrap_or_default();
    table = reads(table, &[&ten, rest], &full);
    table = drops(table, &[&members(33, "v")]);
    table = drops(table, &[&full, "last=1"]);
    table = drops(table, &["first=1", &full]);
    table = drops(table, &["foo=1"; 33]);
    table = reads(table, &["foo=1"; 32], "foo=1");

    // The specification asks for 512 characters at least; the longest list that the grammar allows is kept.
    table = table.rule("Trace Context 2, 3.3.1.5: as much is passed on as the grammar allows");
    let longest: Vec<_> = (0..32)
        .map(|n| format!("{n:02}{}={}", "k".repeat(254), "v".repeat(256)))
        .collect();
    let longest = longest.join(",");
    let spaced = longest.replace(',', " , \t ,");
    table = reads(table, &[&longest], &longest);
    reads(table, &[&spaced], &longest)
}

fn keys(mut table: Table) -> Table {
    table = table.rule("Trace Context 2, 3.3.1.2.1: a key is a lower-case letter or digit, then up to 255 of a small set");
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let (all, vendor) = (format!("{key}=1"), format!("{key}@a-z0-9_-*/=1"));
    let longest = format!("foo=1,{}=1", "z".repeat(256));
    let longest_vendor = format!("foo=1,{}@{}=1", "t".repeat(241), "v".repeat(14));
    for list in [
        &*all,
        &vendor,
        &longest,
        &longest_vendor,
        "0=1",
        "9-x@y@z=2",
        "a=1",
        "z@=1",
    ] {
        table = reads(table, &[list], list);
    }
    let too_long = format!("foo=1,{}=1", "z".repeat(257));
    for list in [
        &*too_long,
        "foo =1",
        "FOO=1",
        "fOO=1",
        "foo.bar=1",
        "foo+bar=1",
        "foo\tbar=1",
        "@foo=1,bar=2",
        "_foo=1",
        "-foo=1",
        "*foo=1",
        "/foo=1",
        "foo,bar=1",
        "foo",
        // A peer reads the empty key.
        "=1",
        "=",
        "foo=1;bar=2,k\u{e4}=1",
    ] {
        table = drops(table, &[list]);
    }
    table
}

fn values(mut table: Table) -> Table {
    table = table.rule("Trace Context 2, 3.3.1.2.2: a value is 1 to 256 printable characters but , and =, no blank last");
    let value: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
    let (all, longest) = (format!("k={value}"), format!("k={}", "v".repeat(256)));
    for list in [&*all, &longest, "foo= 1", "foo=a b", "k=~", "k=!", "k=;"] {
        table = reads(table, &[list], list);
    }
    let too_long = format!("k={}", "v".repeat(257));
    for list in [
        &*too_long,
        "foo=,bar=3",
        "foo= ,bar=3",
        "foo=bar=baz",
        // A peer reads this one.
        "a==1",
        "a=1=",
        "foo=\u{e4}",
        "foo=a\tb",
        "foo=\u{1f}",
        "foo=\u{7f}",
        "foo=1\n",
    ] {
        table = drops(table, &[list]);
    }
    table
}

fn names(mut table: Table) -> Table {
    table = table.rule("Trace Context 2, 3.3.1.4: the name has no hyphen");
    for name in ["trace-state", "trace.state"] {
        table = table.reads(&[("traceparent", VALID), (name, "foo=1")], sampled());
    }
    for name in ["TraceState", "TRACESTATE"] {
        table = table.reads(
            &[("traceparent", VALID), (name, "foo=1")],
            with_list("foo=1"),
        );
    }
    table
}

fn order(table: Table) -> Table {
    table
        .rule("Trace Context 2, 3.3: a tracestate counts only with a valid traceparent")
        .passes_over(&[("tracestate", "foo=1")])
        .passes_over(&[("tracestate", "=")])
        .refuses(&[("traceparent", "00-1-2-3"), ("tracestate", "foo=1")])
        .refuses(&[
            ("traceparent", VALID),
            ("traceparent", VALID),
            ("tracestate", "foo=1"),
        ])
        .reads(
            &[("tracestate", "foo=1"), ("traceparent", VALID)],
            with_list("foo=1"),
        )
}

fn write(table: Table) -> Table {
    let mut changed = TraceState::default();
    for (key, value) in [("c", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
        assert!(changed.insert(key, value));
    }
    for (key, value) in [("C", "5"), ("c", "5,d=6"), ("c", ""), ("", "5")] {
        assert!(!changed.insert(key, value));
    }
    let headers = |list: &'static str| [("traceparent", VALID), ("tracestate", list)];
    let mut full = TraceState::default();
    for n in (0..40).rev() {
        assert!(full.insert(&format!("k{n:02}"), "v"));
    }
    table
        .rule("Trace Context 2, 3.3: all members in one header, and no empty one")
        .writes(with_list("a=1,b=2"), &headers("a=1,b=2"))
        .writes(with_list(""), &[("traceparent", VALID)])
        .writes_over(&headers("old=1"), sampled(), &[("traceparent", VALID)])
        .writes_over(&headers("old=1"), Baggage::new(), &[])
        .rule(
            "Trace Context 2, 3.5: a changed member comes first, and beyond 32 the last one leaves",
        )
        .writes(sampled().with_tracestate(changed), &headers("c=4,a=3,b=2"))
        .writes(
            sampled().with_tracestate(full),
            &[("traceparent", VALID), ("tracestate", &members(32, "v"))],
        )
}
