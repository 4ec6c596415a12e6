//! W3C Baggage.

use super::*;

fn item(key: &str, value: &str, properties: &str) -> (String, String, String) {
    (key.to_owned(), value.to_owned(), properties.to_owned())
}

#[test]
fn valid_baggage() {
    let cases: &[(&[&str], &[Item])] = &[
        (&[""], &[]),
        (&[" , ,"], &[]),
        (&["a=1"], &[("a", "1", "")]),
        (&["a="], &[("a", "", "")]),
        (
            &["a=1,b=2", "c=3"],
            &[("a", "1", ""), ("b", "2", ""), ("c", "3", "")],
        ),
        (&["userId =   alice"], &[("userId", "alice", "")]),
        (
            &["serverNode = DF%2028, isProduction = false"],
            &[("serverNode", "DF 28", ""), ("isProduction", "false", "")],
        ),
        (&["\ta \t=\t 1 \t,b=2"], &[("a", "1", ""), ("b", "2", "")]),
        (&["a=b=c=="], &[("a", "b=c==", "")]),
        (
            &["!#$%&'*+-.^_`|~09azAZ=x"],
            &[("!#$%&'*+-.^_`|~09azAZ", "x", "")],
        ),
        (&["a=1+1"], &[("a", "1+1", "")]),
        (&["a=%E2%82%ac%22%2c%3B%5C"], &[("a", "€\",;\\", "")]),
        (&["a=%ff%C3"], &[("a", "\u{fffd}\u{fffd}", "")]),
        (&["a=5%,b=%4"], &[("a", "5%", ""), ("b", "%4", "")]),
        (&["a=%0d%0ax:y"], &[("a", "\r\nx:y", "")]),
        (
            &[
                "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
            ],
            &[
                ("key1", "value1", "property1;property2"),
                ("key2", "value2", ""),
                ("key3", "value3", "propertyKey=propertyValue"),
            ],
        ),
        (&["a=1 ; p = x=y ;q;r=%20"], &[("a", "1", "p=x=y;q;r=%20")]),
        (&["a=1;"], &[("a", "1", "")]),
        (&["a=1;;p; "], &[("a", "1", "p")]),
        // The first of a key stays, keys have a case.
        (&["a=1,A=2,a=3", "a=4"], &[("a", "1", ""), ("A", "2", "")]),
    ];
    for (headers, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(key, value, more)| item(key, value, more))
            .collect();
        assert_eq!(baggage(headers), (expected, 0), "{headers:?}");
    }
}

#[test]
fn a_bad_member_is_left_out_alone() {
    let bad: &[&[u8]] = &[
        b"bad",
        b"=1",
        b"=",
        b";",
        b";p=1",
        b"b d=1",
        b"b(d=1",
        b"b\xc3\xa4d=1",
        b"bad=1 2",
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
        b"bad=1;\xff",
    ];
    for member in bad {
        let header = [b"a=1, ", *member, b",c=3"].concat();
        assert_eq!(
            baggage(&[header]),
            (vec![item("a", "1", ""), item("c", "3", "")], 1),
            "{}",
            member.escape_ascii()
        );
    }
}

#[test]
fn baggage_that_is_read_is_bounded() {
    // As many members and bytes as the specification asks for.
    let members: Vec<_> = (0..Baggage::MAX_ITEMS)
        .map(|n| format!("k{n:02}={}", "v".repeat(123)))
        .collect();
    let full = members.join(",");
    assert_eq!(full.len() + 1, Baggage::MAX_BYTES);
    let (items, refusals) = baggage(&[full]);
    assert_eq!((items.len(), refusals), (Baggage::MAX_ITEMS, 0));
    let (items, refusals) = baggage(&members);
    assert_eq!((items.len(), refusals), (Baggage::MAX_ITEMS, 0));

    let many: Vec<_> = (0..10_000).map(|n| format!("k{n}=v")).collect();
    let (items, refusals) = baggage(&[many.join(",")]);
    assert_eq!((items.len(), refusals), (Baggage::MAX_ITEMS, 1));
    assert_eq!(items[63], item("k63", "v", ""));

    // What is too long is left out as a whole, and what fits beside it stays.
    let huge = format!("a=1,huge={},b=2", "v".repeat(1_000_000));
    assert_eq!(
        baggage(&[huge]),
        (vec![item("a", "1", ""), item("b", "2", "")], 1)
    );
    let encoded = format!("a=1,huge={},b=2", "%41".repeat(Baggage::MAX_BYTES));
    assert_eq!(
        baggage(&[encoded]),
        (vec![item("a", "1", ""), item("b", "2", "")], 1)
    );
    let replaced = format!("a=1,grows={},b=2", "%ff".repeat(2700));
    assert_eq!(
        baggage(&[replaced]),
        (
            vec![
                item("a", "1", ""),
                item("grows", &"\u{fffd}".repeat(2700), ""),
                item("b", "2", "")
            ],
            0
        )
    );
}

#[test]
fn baggage_is_read_without_ids() {
    let (found, refusals) = extract(&[("traceparent", "bad"), ("baggage", "a=1")]);
    assert!(!found.has_context());
    assert_eq!((found.baggage().get("a"), refusals), (Some("1"), 1));
    let (found, _) = extract(&[("baggage", "a=1"), ("traceparent", VALID)]);
    assert_eq!(found.context().unwrap().baggage().get("a"), Some("1"));
}

#[test]
fn baggage_that_is_written_is_bounded() {
    let mut baggage = Baggage::new();
    assert!(
        baggage.set("a", "1") && baggage.set("grows", &"€".repeat(1000)) && baggage.set("b", "2")
    );
    assert_eq!(
        inject(&Outgoing::baggage_only(&baggage))["baggage"],
        "a=1,b=2",
        "whole members only"
    );

    let mut baggage = Baggage::new();
    for n in 0..Baggage::MAX_ITEMS {
        assert!(baggage.set(&format!("k{n:02}"), &"v".repeat(125)));
    }
    let written = &inject(&Outgoing::baggage_only(&baggage))["baggage"];
    assert!(written.len() <= Baggage::MAX_BYTES);
    assert_eq!(written.split(',').count(), Baggage::MAX_BYTES / 130);
    assert!(written.split(',').all(|member| member.len() == 129));
}
