use opentracing_http::Baggage;

use super::super::super::{Found, Table};
use super::{VALID, members, sampled};

const BAGGAGE: &str = "baggage";

/// A member with its properties.
type Item = (&'static str, &'static str, &'static str);

pub(super) fn table() -> Table {
    write(bounds(bad_members(valid(Table::new()))))
        .rule("W3C Baggage, 1: it is independent of Trace Context")
        .reads(
            &[("traceparent", "bad"), (BAGGAGE, "a=1")],
            Found::default().with_item("a", "1", "").and_refused(),
        )
        .reads(
            &[(BAGGAGE, "a=1"), ("traceparent", VALID)],
            Found::from(sampled()).with_item("a", "1", ""),
        )
}

fn valid(mut table: Table) -> Table {
    let rows: &[(&str, &[&str], &[Item])] = &[
        ("3.3.1: members in order, empty ones left out", &[""], &[]),
        ("", &[" , ,"], &[]),
        ("", &["a=1"], &[("a", "1", "")]),
        ("", &["a=1,b=2,"], &[("a", "1", ""), ("b", "2", "")]),
        (
            "3.3.1.2: a value may be empty and has `=`, which a peer cuts",
            &["a="],
            &[("a", "", "")],
        ),
        ("", &["a=b=c"], &[("a", "b=c", "")]),
        ("", &["a=b=c=="], &[("a", "b=c==", "")]),
        (
            "",
            &["a=!#$%&'()*+-./:<=>?@[]^_`{|}~"],
            &[("a", "!#$%&'()*+-./:<=>?@[]^_`{|}~", "")],
        ),
        (
            "3.3.2: several headers are one list; a peer reads the first only",
            &["a=1,b=2", "c=3"],
            &[("a", "1", ""), ("b", "2", ""), ("c", "3", "")],
        ),
        (
            "3.3.1: blanks round `=`, `,` and `;`",
            &["userId =   alice"],
            &[("userId", "alice", "")],
        ),
        (
            "",
            &["serverNode = DF%2028, isProduction = false"],
            &[("serverNode", "DF 28", ""), ("isProduction", "false", "")],
        ),
        (
            "",
            &["\ta \t=\t 1 \t,b=2"],
            &[("a", "1", ""), ("b", "2", "")],
        ),
        (
            "3.3.1.1: a key is a token, and has a case",
            &["!#$%&'*+-.^_`|~09azAZ=x"],
            &[("!#$%&'*+-.^_`|~09azAZ", "x", "")],
        ),
        ("", &["a=1,A=2"], &[("a", "1", ""), ("A", "2", "")]),
        (
            "3.3.1.2: percent-encoded, where `+` is no blank",
            &["a=1+1"],
            &[("a", "1+1", "")],
        ),
        (
            "",
            &["a=%E2%82%ac%22%2c%3B%5C"],
            &[("a", "\u{20ac}\",;\\", "")],
        ),
        ("", &["a=%2525"], &[("a", "%25", "")]),
        ("", &["a=%0d%0ax:y"], &[("a", "\r\nx:y", "")]),
        (
            "3.3.1.2: what is not UTF-8 becomes U+FFFD",
            &["a=%ff%C3"],
            &[("a", "\u{fffd}\u{fffd}", "")],
        ),
        (
            "A `%` without two digits stands for itself: some senders never encode",
            &["a=5%,b=%4,c=%zz%41,d=%%41,e=%+1"],
            &[
                ("a", "5%", ""),
                ("b", "%4", ""),
                ("c", "%zzA", ""),
                ("d", "%A", ""),
                ("e", "%+1", ""),
            ],
        ),
        (
            "3.3.1.3: properties are passed on, without blanks and empty places",
            &[
                "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
            ],
            &[
                ("key1", "value1", "property1;property2"),
                ("key2", "value2", ""),
                ("key3", "value3", "propertyKey=propertyValue"),
            ],
        ),
        (
            "",
            &["a=1 ; p = x=y ;q;r=%20"],
            &[("a", "1", "p=x=y;q;r=%20")],
        ),
        ("", &["a=1;"], &[("a", "1", "")]),
        ("", &["a=1;;p; "], &[("a", "1", "p")]),
        ("", &["a=1;p="], &[("a", "1", "p=")]),
        (
            "The first of a key stays",
            &["a=1,a=3", "a=4"],
            &[("a", "1", "")],
        ),
        ("", &["a=1;p,a=2;q"], &[("a", "1", "p")]),
    ];
    for (rule, headers, items) in rows {
        if !rule.is_empty() {
            table = table.rule(rule);
        }
        let headers: Vec<_> = headers.iter().map(|value| (BAGGAGE, *value)).collect();
        let found = items
            .iter()
            .fold(Found::default(), |found, (key, value, more)| {
                found.with_item(key, value, more)
            });
        table = table.reads(&headers, found);
    }
    table
}

fn bad_members(mut table: Table) -> Table {
    table = table.rule("W3C Baggage, 3.3.1: a member that breaks the grammar is left out alone");
    let bad: &[&[u8]] = &[
        b"bad",
        b"=1",
        b"=",
        b";",
        b";p=1",
        b"b d=1",
        b"b(d=1",
        b"b\"d=1",
        b"b/d=1",
        b"b:d=1",
        b"b@d=1",
        b"b[d=1",
        b"b{d=1",
        b"b\xc3\xa4d=1",
        b"bad=1 2",
        b"bad=1\t2",
        b"bad=\"1\"",
        b"bad=1\\2",
        b"bad=\xc3\xa4",
        b"bad=\xff",
        b"\xff=1",
        b"bad=\x7f",
        b"bad=\0",
        b"bad=1;p q",
        b"bad=1;=q",
        b"bad=1;p=q r",
        b"bad=1;p=\"q\"",
        b"bad=1;p;p\xc3\xa4",
        b"bad=1;\xff",
    ];
    let kept = Found::default()
        .with_items(&[("a", "1"), ("c", "3")])
        .and_refused();
    for member in bad {
        let header = [b"a=1, ", *member, b",c=3"].concat();
        table = table.reads(&[(BAGGAGE, header)], kept.clone());
    }
    table
}

fn bounds(mut table: Table) -> Table {
    let none = Found::default;
    let fold = |found: Found, n: usize, value: &str| {
        (0..n).fold(found, |found, n| {
            found.with_item(&format!("k{n:02}"), value, "")
        })
    };
    table = table
        .rule("W3C Baggage, 3.3.2: 64 members, which is what everybody must pass on, and no more");
    let all = fold(none(), 64, "v");
    let halves = [
        members(64, "v")[..32 * 6].to_owned(),
        members(64, "v")[32 * 6..].to_owned(),
    ];
    table = table
        .reads(&[(BAGGAGE, members(64, "v"))], all.clone())
        .reads(&[(BAGGAGE, &halves[0]), (BAGGAGE, &halves[1])], all.clone())
        .reads(&[(BAGGAGE, members(65, "v"))], all.clone().and_refused())
        .reads(
            &[(BAGGAGE, &*members(64, "v")), (BAGGAGE, "k00=w,k65=v")],
            all.clone().and_refused(),
        )
        // A key that is known already takes no room.
        .reads(&[(BAGGAGE, members(64, "v") + ",k00=w")], all)
        .rule("W3C Baggage, 3.3.2: 8,192 bytes, and no more; never a part of a member");
    let long = "v".repeat(123);
    let full = members(64, &long);
    assert_eq!(full.len() + 1, Baggage::MAX_BYTES);
    let limit = "v".repeat(Baggage::MAX_BYTES - 2);
    table = table
        .reads(&[(BAGGAGE, full)], fold(none(), 64, &long))
        .reads(
            &[(BAGGAGE, format!("k={limit}"))],
            none().with_item("k", &limit, ""),
        )
        .reads(&[(BAGGAGE, format!("k={limit}v"))], none().and_refused())
        .reads(
            &[(BAGGAGE, format!("k={limit},a=1"))],
            none().with_item("k", &limit, "").and_refused(),
        )
        .reads(
            &[(BAGGAGE, format!("k={limit}v,a=1,b=2"))],
            none().with_items(&[("a", "1"), ("b", "2")]).and_refused(),
        );
    // Decoded, every one of these takes three bytes, as it did before: with the key there is room for 2,730.
    let (fits, grows) = ("%ff".repeat(2_700), "%41".repeat(Baggage::MAX_BYTES));
    table
        .reads(
            &[(BAGGAGE, format!("a=1,k={fits},b=2"))],
            none().with_items(&[("a", "1"), ("k", &"\u{fffd}".repeat(2_700)), ("b", "2")]),
        )
        .reads(
            &[(BAGGAGE, format!("a=1,k={grows},b=2"))],
            none().with_items(&[("a", "1"), ("b", "2")]).and_refused(),
        )
        .reads(
            &[(BAGGAGE, format!("a=1,k={},b=2", "v".repeat(1_000_000)))],
            none().with_items(&[("a", "1"), ("b", "2")]).and_refused(),
        )
}

fn write(table: Table) -> Table {
    let mut baggage = Baggage::new();
    assert!(
        baggage.set("tenant", "a b,c;d\"e\\f%\u{20ac}\r\n=+")
            && baggage.set_with_properties("b", "", "p=1;q")
    );
    let written = "tenant=a%20b%2Cc%3Bd%22e%5Cf%25%E2%82%AC%0D%0A=%2B,b=;p=1;q";
    let mut plus = Baggage::new();
    assert!(plus.set_with_properties("sum", "1+1=2", "p=+"));
    let limit = "v".repeat(Baggage::MAX_BYTES - 2);
    let mut longest = Baggage::new();
    assert!(longest.set("k", &limit) && longest.set("l", ""));
    let mut full = Baggage::new();
    for n in 0..Baggage::MAX_ITEMS {
        assert!(full.set(&format!("k{n:02}"), &"v".repeat(125)));
    }
    table
        .rule("W3C Baggage, 3.3.1: all members in one header, encoded where the grammar wants it")
        .writes(baggage.clone(), &[(BAGGAGE, written)])
        .writes(
            sampled().with_baggage(baggage),
            &[("traceparent", VALID), (BAGGAGE, written)],
        )
        .writes_over(&[(BAGGAGE, "old=1")], Baggage::new(), &[])
        .rule(
            "3.3.1.2: `+` is no blank, and goes out as `%2B`, because some readers take it for one",
        )
        .writes(plus, &[(BAGGAGE, "sum=1%2B1=2;p=+")])
        .rule("W3C Baggage, 3.3.1: what was there is gone")
        .writes_over(&[(BAGGAGE, "old=1")], sampled(), &[("traceparent", VALID)])
        .rule("W3C Baggage, 3.3.2: 8,192 bytes with the commas, whole members only")
        .writes(longest, &[(BAGGAGE, &format!("k={limit}"))])
        .writes(full, &[(BAGGAGE, &members(63, &"v".repeat(125)))])
}
