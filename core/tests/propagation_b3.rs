//! B3, single and multiple headers.

use std::collections::BTreeMap;

use http::HeaderMap;
use opentracing_http::propagation::{B3, Extraction, Outgoing, Propagation};
use opentracing_http::{Baggage, SpanContext, SpanId, TraceFlags, TraceId};

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN: &str = "e457b5a2e4d86bd1";

fn extract<V: AsRef<[u8]>>(headers: &[(&str, V)]) -> (Extraction, u64) {
    let read = |format| {
        let propagation = Propagation::none().read(format);
        let found = propagation.extract(
            &headers
                .iter()
                .map(|(name, value)| (*name, value.as_ref()))
                .collect::<Vec<_>>(),
        );
        let refusals = propagation.refusals().map(|(_, count)| count).sum();
        (found, refusals)
    };
    let (single, multi) = (read(B3::single()), read(B3::multi()));
    assert_eq!(
        (single.0.context(), single.0.decision(), single.1),
        (multi.0.context(), multi.0.decision(), multi.1),
        "what is written does not change what is read"
    );
    single
}

fn ids(trace: &str, span: &str, flags: TraceFlags) -> SpanContext {
    let ids = (trace.parse().expect("an id"), span.parse().expect("an id"));
    SpanContext::new(ids.0, ids.1, flags)
}

fn inject(format: B3, outgoing: &Outgoing<'_>) -> BTreeMap<String, String> {
    let mut carrier = BTreeMap::new();
    Propagation::none()
        .write(format)
        .inject(outgoing, &mut carrier);
    carrier
}

fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn valid_single_headers() {
    for (end, flags) in [
        ("", TraceFlags::DEFERRED),
        ("-0", TraceFlags::NOT_SAMPLED),
        ("-1", TraceFlags::SAMPLED),
        ("-d", TraceFlags::DEBUG),
        ("-1-05e3ac9a4f6e3b90", TraceFlags::SAMPLED),
        ("-0-05e3ac9a4f6e3b90", TraceFlags::NOT_SAMPLED),
        ("-d-05e3ac9a4f6e3b90", TraceFlags::DEBUG),
        ("-1-0000000000000000", TraceFlags::SAMPLED),
        // Deferred, with a parent: both of the last fields are optional.
        ("-05e3ac9a4f6e3b90", TraceFlags::DEFERRED),
        (" \t", TraceFlags::DEFERRED),
    ] {
        let (found, refusals) = extract(&[("b3", format!("{TRACE}-{SPAN}{end}"))]);
        assert_eq!(
            (found.context(), refusals),
            (Some(ids(TRACE, SPAN, flags)), 0),
            "{end:?}"
        );
        let (found, refusals) = extract(&[("B3", format!(" 64fe8b2a57d3eff7-{SPAN}{end}"))]);
        let padded = ids("000000000000000064fe8b2a57d3eff7", SPAN, flags);
        assert_eq!((found.context(), refusals), (Some(padded), 0), "{end:?}");
    }
}

#[test]
fn a_decision_comes_without_ids() {
    let cases: &[(&[(&str, &str)], TraceFlags)] = &[
        (&[("b3", "0")], TraceFlags::NOT_SAMPLED),
        (&[("b3", "1")], TraceFlags::SAMPLED),
        (&[("b3", " d ")], TraceFlags::DEBUG),
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
            &[("X-B3-Flags", "whatever"), ("X-B3-Sampled", "0")],
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
        // The single header wins.
        (
            &[("b3", "0"), ("X-B3-Sampled", "1")],
            TraceFlags::NOT_SAMPLED,
        ),
        (
            &[("b3", "0"), ("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN)],
            TraceFlags::NOT_SAMPLED,
        ),
        (
            &[
                ("X-B3-Sampled", "1"),
                ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
            ],
            TraceFlags::SAMPLED,
        ),
    ];
    for (headers, flags) in cases {
        let (found, refusals) = extract(headers);
        assert_eq!(
            (found.decision(), found.context(), refusals),
            (Some(*flags), None, 0),
            "{headers:?}"
        );
    }
    for headers in [
        &[("x-b3-flags", "0")][..],
        &[("x-b3-parentspanid", SPAN)],
        &[],
    ] {
        let (found, refusals) = extract(headers);
        assert_eq!(
            (found.decision(), found.context(), refusals),
            (None, None, 0),
            "{headers:?}"
        );
    }
}

#[test]
fn refused_single_headers() {
    let mut refused: Vec<Vec<u8>> = [
        "", " ", "-", "--", "---", "2", "D", "00", "01", "1-1", "true", "d-",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let (upper, short, long) = (TRACE.to_uppercase(), &TRACE[1..], format!("0{TRACE}"));
    refused.extend(
        [
            TRACE.to_owned(),
            format!("{TRACE}-"),
            format!("-{SPAN}-1"),
            format!("{TRACE}-1"),
            format!("{TRACE}-{SPAN}-"),
            format!("{TRACE}-{SPAN}-2"),
            format!("{TRACE}-{SPAN}-D"),
            format!("{TRACE}-{SPAN}-true"),
            format!("{TRACE}-{SPAN}-1-"),
            format!("{TRACE}-{SPAN}-1-{}", &SPAN[1..]),
            format!("{TRACE}-{SPAN}-1-+{}", &SPAN[1..]),
            format!("{TRACE}-{SPAN}-1-{SPAN}-1"),
            format!("{TRACE}-{SPAN}-1-{SPAN}-"),
            format!("{TRACE}-{SPAN}-{SPAN}-1"),
            format!("{TRACE}-{SPAN}--{SPAN}"),
            format!("{upper}-{SPAN}-1"),
            format!("{TRACE}-{}-1", SPAN.to_uppercase()),
            format!("{short}-{SPAN}-1"),
            format!("{long}-{SPAN}-1"),
            format!("{TRACE}-{}-1", &SPAN[1..]),
            format!("{TRACE}-0{SPAN}-1"),
            format!("+{short}-{SPAN}-1"),
            format!("{TRACE}-+{}-1", &SPAN[1..]),
            format!("{}-{SPAN}-1", "0".repeat(32)),
            format!("{}-{SPAN}-1", "0".repeat(16)),
            format!("{TRACE}-{}-1", "0".repeat(16)),
            format!("{TRACE} -{SPAN}-1"),
            format!("{TRACE}-{SPAN}-1,{TRACE}-{SPAN}-1"),
            format!("{TRACE}_{SPAN}_1"),
            format!("{TRACE}-{SPAN}-1\n"),
            "-".repeat(100_000),
        ]
        .map(String::into_bytes),
    );
    refused.push(b"\xff".to_vec());
    refused.push([TRACE.as_bytes(), b"-\xff457b5a2e4d86bd1-1"].concat());
    for value in refused {
        let (found, refusals) = extract(&[("b3", &value)]);
        assert_eq!(
            (found.context(), found.decision(), refusals),
            (None, None, 1),
            "{}",
            value.escape_ascii()
        );
    }
}

#[test]
fn valid_multiple_headers() {
    let ids_only = [("X-B3-TraceId", TRACE), ("x-b3-spanid", SPAN)];
    let cases: &[(&[(&str, &str)], TraceFlags)] = &[
        (&[], TraceFlags::DEFERRED),
        (&[("x-b3-sampled", "1")], TraceFlags::SAMPLED),
        (&[("x-b3-sampled", "0")], TraceFlags::NOT_SAMPLED),
        (&[("x-b3-sampled", " true")], TraceFlags::SAMPLED),
        (&[("x-b3-sampled", "false")], TraceFlags::NOT_SAMPLED),
        (&[("x-b3-flags", "1")], TraceFlags::DEBUG),
        (
            &[("x-b3-flags", "1"), ("x-b3-sampled", "0")],
            TraceFlags::DEBUG,
        ),
        (
            &[("x-b3-flags", "0"), ("x-b3-sampled", "1")],
            TraceFlags::SAMPLED,
        ),
        (&[("x-b3-flags", "")], TraceFlags::DEFERRED),
        (
            &[("x-b3-parentspanid", "05e3ac9a4f6e3b90")],
            TraceFlags::DEFERRED,
        ),
        (
            &[
                ("x-b3-parentspanid", "0000000000000000"),
                ("x-b3-sampled", "1"),
            ],
            TraceFlags::SAMPLED,
        ),
    ];
    for (more, flags) in cases {
        let (found, refusals) = extract(&[&ids_only[..], more].concat());
        assert_eq!(
            (found.context(), refusals),
            (Some(ids(TRACE, SPAN, *flags)), 0),
            "{more:?}"
        );
    }
    let (found, _) = extract(&[("x-b3-traceid", &TRACE[16..]), ("x-b3-spanid", SPAN)]);
    let padded = ids(
        "000000000000000064fe8b2a57d3eff7",
        SPAN,
        TraceFlags::DEFERRED,
    );
    assert_eq!(found.context(), Some(padded));
}

#[test]
fn refused_multiple_headers() {
    let cases: &[&[(&str, &str)]] = &[
        &[("x-b3-traceid", TRACE)],
        &[("x-b3-spanid", SPAN)],
        &[("x-b3-traceid", TRACE), ("x-b3-sampled", "1")],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", "")],
        &[("x-b3-traceid", ""), ("x-b3-spanid", SPAN)],
        &[
            ("x-b3-traceid", "not-hex"),
            ("x-b3-spanid", SPAN),
            ("x-b3-sampled", "0"),
        ],
        &[
            ("x-b3-traceid", "80F198EE56343BA864FE8B2A57D3EFF7"),
            ("x-b3-spanid", SPAN),
        ],
        &[
            ("x-b3-traceid", "00000000000000000000000000000000"),
            ("x-b3-spanid", SPAN),
        ],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", "0000000000000000")],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", "+457b5a2e4d86bd1")],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-sampled", "2"),
        ],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-sampled", ""),
        ],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-parentspanid", "1"),
        ],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-parentspanid", "\u{e4}"),
        ],
        // Which of two ids counts cannot be known.
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
        ],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-spanid", SPAN),
        ],
        &[
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-parentspanid", SPAN),
            ("x-b3-parentspanid", SPAN),
        ],
        &[("x-b3-sampled", "maybe")],
        &[("x-b3-sampled", "d")],
    ];
    for headers in cases {
        let (found, refusals) = extract(headers);
        assert_eq!(
            (found.context(), found.decision(), refusals),
            (None, None, 1),
            "{headers:?}"
        );
    }
}

#[test]
fn the_single_header_wins_where_it_is_valid() {
    let multi = [
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", SPAN),
        ("x-b3-sampled", "1"),
    ];
    let valid = format!("{TRACE}-00000000000000aa-0");
    let (found, refusals) = extract(&[&multi[..], &[("b3", &valid)]].concat());
    let single = ids(TRACE, "00000000000000aa", TraceFlags::NOT_SAMPLED);
    assert_eq!((found.context(), refusals), (Some(single), 0));

    for bad in [&[("b3", "bad")][..], &[("b3", &valid), ("b3", &valid)]] {
        let (found, refusals) = extract(&[bad, &multi[..]].concat());
        assert_eq!(
            (found.context(), refusals),
            (Some(ids(TRACE, SPAN, TraceFlags::SAMPLED)), 1)
        );
    }
}

#[test]
fn writes_the_context() {
    let context = ids(TRACE, SPAN, TraceFlags::SAMPLED);
    let ids_only = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
    for (flags, end, more) in [
        (TraceFlags::SAMPLED, "-1", Some(("x-b3-sampled", "1"))),
        (TraceFlags::NOT_SAMPLED, "-0", Some(("x-b3-sampled", "0"))),
        (
            TraceFlags::SAMPLED.with_random(true),
            "-1",
            Some(("x-b3-sampled", "1")),
        ),
        (TraceFlags::DEBUG, "-d", Some(("x-b3-flags", "1"))),
        (TraceFlags::DEFERRED, "", None),
    ] {
        let context = context.clone().with_flags(flags);
        let outgoing = Outgoing::new(&context);
        assert_eq!(
            inject(B3::single(), &outgoing),
            headers(&[("b3", &format!("{TRACE}-{SPAN}{end}"))])
        );
        let expected: Vec<_> = ids_only.into_iter().chain(more).collect();
        assert_eq!(inject(B3::multi(), &outgoing), headers(&expected));
    }

    // What came with 16 digits leaves with 16.
    let short = SpanContext::new(
        TraceId::new(0xabc).unwrap(),
        SpanId::new(1).unwrap(),
        TraceFlags::DEFERRED,
    );
    assert_eq!(
        inject(B3::single(), &Outgoing::new(&short)),
        headers(&[("b3", "0000000000000abc-0000000000000001")])
    );

    let mut baggage = Baggage::new();
    baggage.set("a", "1");
    for format in [B3::single(), B3::multi()] {
        assert_eq!(
            inject(format, &Outgoing::baggage_only(&baggage)),
            headers(&[])
        );
    }
}

#[test]
fn a_second_injection_leaves_nothing_of_the_first() {
    let context = ids(TRACE, SPAN, TraceFlags::SAMPLED);
    let baggage = Baggage::new();
    let mut carrier = HeaderMap::new();
    carrier.insert("x-b3-parentspanid", SPAN.parse().unwrap());
    let propagation = Propagation::none().write(B3::single()).write(B3::multi());
    for (flags, names) in [
        (
            TraceFlags::SAMPLED,
            &["b3", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"][..],
        ),
        (
            TraceFlags::DEBUG,
            &["b3", "x-b3-flags", "x-b3-spanid", "x-b3-traceid"],
        ),
        (TraceFlags::DEFERRED, &["b3", "x-b3-spanid", "x-b3-traceid"]),
    ] {
        propagation.inject(
            &Outgoing::new(&context.clone().with_flags(flags)),
            &mut carrier,
        );
        let mut found: Vec<_> = carrier.keys().map(|name| name.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, names);
    }
    propagation.inject(&Outgoing::baggage_only(&baggage), &mut carrier);
    assert!(carrier.is_empty());
}
