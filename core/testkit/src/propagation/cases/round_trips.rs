//! What comes back of what goes out; where a format cannot carry a thing, the fallback that it declares.

use opentracing_http::propagation::Propagation;
use opentracing_http::{Baggage, TraceFlags, TraceState};

use super::super::format::Format;
use super::super::headers::sorted;
use super::super::table::{Found, Lines, Sent, context};

const TRACE: u128 = 0x64fe_8b2a_57d3_eff7;
const WIDE: u128 = 0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7;
const SPAN: u64 = 0xe457_b5a2_e4d8_6bd1;

/// A root's context, whose span id some systems make of the trace id.
pub fn round_trips_a_root_context(format: &Format) {
    comes_back(format, context(TRACE, TRACE as u64, TraceFlags::SAMPLED));
    comes_back(format, context(1, 1, TraceFlags::SAMPLED));
}

/// A child's context has the trace's id and its own span id, every digit of them.
pub fn round_trips_a_child_context(format: &Format) {
    let root = context(TRACE, TRACE as u64, TraceFlags::SAMPLED);
    let child = context(TRACE, SPAN, TraceFlags::SAMPLED);
    comes_back(format, root.with_span_id(child.span_id()));
    for bit in 0..64 {
        comes_back(
            format,
            context(1 << bit, 1 << (63 - bit), TraceFlags::SAMPLED),
        );
    }
    comes_back(
        format,
        context(u64::MAX.into(), u64::MAX, TraceFlags::SAMPLED),
    );
}

/// All 128 bits of a trace id, or the right-most 64 with zeros before them.
pub fn round_trips_a_128_bit_trace_id(format: &Format) {
    comes_back(format, context(WIDE, SPAN, TraceFlags::SAMPLED));
    for bit in 64..128 {
        comes_back(format, context(1 << bit | 1, SPAN, TraceFlags::SAMPLED));
    }
    comes_back(format, context(u128::MAX, SPAN, TraceFlags::SAMPLED));
}

/// The decision not to sample, or the one that the format always has.
pub fn round_trips_an_unsampled_context(format: &Format) {
    comes_back(format, context(WIDE, SPAN, TraceFlags::NOT_SAMPLED));
}

/// The debug flag, or the decision without it.
pub fn round_trips_a_debug_context(format: &Format) {
    comes_back(format, context(WIDE, SPAN, TraceFlags::DEBUG));
    comes_back(
        format,
        context(WIDE, SPAN, TraceFlags::NOT_SAMPLED.with_debug()),
    );
}

/// That there is no decision yet, or not sampled.
pub fn round_trips_a_deferred_decision(format: &Format) {
    comes_back(format, context(WIDE, SPAN, TraceFlags::DEFERRED));
}

/// W3C's random flag with every decision, or without it.
pub fn round_trips_the_random_flag(format: &Format) {
    for flags in [
        TraceFlags::NOT_SAMPLED,
        TraceFlags::SAMPLED,
        TraceFlags::DEBUG,
        TraceFlags::NOT_SAMPLED.with_debug(),
        TraceFlags::DEFERRED,
    ] {
        comes_back(format, context(WIDE, SPAN, flags.with_random(true)));
    }
}

/// The tracestate, every character and member of it, or none.
pub fn round_trips_tracestate(format: &Format) {
    let sampled = context(WIDE, SPAN, TraceFlags::SAMPLED);
    let mut list = TraceState::default();
    for n in 0..TraceState::MAX_MEMBERS {
        assert!(list.insert(&format!("{n}k_-*/@"), &"! +-<>~".repeat(n + 1)));
        comes_back(format, sampled.clone().with_tracestate(list.clone()));
    }
}

/// Baggage in its order, whatever characters its values have, with or without a context; or none.
pub fn round_trips_baggage(format: &Format) {
    let mut baggage = Baggage::new();
    for (key, value) in [
        ("empty", ""),
        ("plain", "blue"),
        ("blanks", " a b "),
        ("separators", "a=b,c;d\"e\\f:g/h?i#j"),
        ("percent", "100%, %41, %"),
        ("plus", "1+1=2"),
        ("line-ends", "a\r\nx-injected: 1\r\n\r\n"),
        ("controls", "\0\x01\x1f\x7f"),
        ("unicode", "Jürgen \u{20ac} \u{1f980}"),
        ("!#$%&'*+-.^_`|~09", "every character of a token"),
        ("userId", "a key with a case"),
    ] {
        assert!(baggage.set(key, value));
        comes_back(format, baggage.clone());
    }
    comes_back(
        format,
        context(WIDE, SPAN, TraceFlags::SAMPLED).with_baggage(baggage),
    );
}

/// The properties of baggage items, or the items without them.
pub fn round_trips_baggage_properties(format: &Format) {
    let mut baggage = Baggage::new();
    assert!(baggage.set_with_properties("a", "1", "p"));
    assert!(baggage.set_with_properties("b", "", "p=1;q;r=a=b"));
    assert!(baggage.set("c", "3"));
    comes_back(format, baggage);
}

/// All that stands in the table comes back as it went out, and goes out again as it did.
pub fn reads_what_it_writes(format: &Format) {
    for sent in format.all_sent() {
        let headers = format.headers_of(&sent);
        let back = format.read(&headers);
        let kept = format.carries.keeps(&sent);
        assert_eq!(
            (&back.context, back.refused),
            (&kept.context, false),
            "what comes back (left) is what the format carries (right), and nothing is refused; {sent}"
        );
        assert_eq!(
            (back.decision, &back.debug_id),
            (None, &None),
            "neither a decision without ids nor a debug id is made of what was {sent}"
        );
        // What went over the bounds of a header was left out, whole items of it.
        assert!(
            back.baggage.iter().all(|item| kept.baggage.contains(item)),
            "baggage came back that nobody sent: {back:?}; {sent}"
        );

        let found = Propagation::none()
            .read(format.propagator())
            .extract(&headers);
        let again = match found.context() {
            Some(context) => Sent::from(context),
            None => Sent::from(found.baggage().clone()),
        };
        assert_eq!(
            sorted(format.headers_of(&again)),
            sorted(headers),
            "what was read is written again (left) as it came (right); {sent}"
        );
    }
}

fn comes_back(format: &Format, sent: impl Into<Sent>) {
    let sent = sent.into();
    let headers = format.headers_of(&sent);
    let kept: Found = format.carries.keeps(&sent);
    assert_eq!(
        format.read(&headers),
        kept,
        "what comes back (left) is what the format carries (right) of what was {sent}\nwritten:{}",
        Lines(&headers)
    );
}
