//! What a span leaves out.

use std::fmt;

use http::Request;
use opentracing_http::report::Omitted;
use opentracing_http::server::Instrumentation;
use opentracing_http::{Limits, Tag, TraceFlags};

use crate::tracer::kit::{Kit, assert_in_order, elsewhere, fields};
use crate::tracer::{Backend, Feature, ReceivedSpan};

/// What holds of tags, logs and fields.
const FIRST: &str =
    "as many arrive (left) as the limit says, the first of them with their last values (right)";

/// A tracer whose policy has other bounds.
fn bounded<B: Backend>(change: impl FnOnce(&mut Limits)) -> Kit<B> {
    let mut limits = Limits::default();
    change(&mut limits);
    Kit::with(|policy| policy.limits(limits))
}

/// Asserts that this much is said to be left out, if that arrives.
#[track_caller]
fn assert_omitted<B: Backend>(span: &ReceivedSpan, change: impl FnOnce(&mut Omitted)) {
    let mut expected = Omitted::default();
    change(&mut expected);
    if !B::CAPABILITIES.has(Feature::Omitted) {
        expected = Omitted::default();
    }
    assert_eq!(
        span.omitted, expected,
        "it arrives how much was left out of the span {} (left; right what was)",
        span.name
    );
}

/// The first tags arrive and those over the limit are counted, however they are set; a known key is set again.
pub fn tags_over_the_limit_are_counted<B: Backend>() {
    let kit = bounded::<B>(|limits| limits.tags = 2);
    let span = kit.tracing.span("work").tag("a", 1).start();
    span.set_tag("b", 1);
    span.set_tag("c", 1);
    span.set_tag("b", 2);
    span.set_tags([("d", 1), ("e", 1), ("a", 2)]);
    span.finish();
    let span = kit.only();
    assert_in_order::<B>(&span.tags, [("a", 2), ("b", 2)], FIRST);
    assert_omitted::<B>(&span, |omitted| omitted.tags = 3);

    let kit = bounded::<B>(|limits| limits.tags = 2);
    let span = kit.tracing.span("at once").start();
    span.set_tags([("a", 1), ("b", 1), ("c", 1)]);
    span.finish();
    let span = kit.only();
    assert_in_order::<B>(&span.tags, [("a", 1), ("b", 1)], FIRST);
    assert_omitted::<B>(&span, |omitted| omitted.tags = 1);
}

/// The first logs arrive, and those over the limit are counted.
pub fn logs_over_the_limit_are_counted<B: Backend>() {
    let kit = bounded::<B>(|limits| limits.logs = 2);
    let span = kit.tracing.span("work").start();
    span.log("a");
    span.log("b");
    span.log("c");
    span.log_at(std::time::SystemTime::UNIX_EPOCH, "d");
    span.finish();
    let span = kit.only();
    let logs: Vec<_> = span.logs.iter().map(|log| log.fields.clone()).collect();
    let two = ["a", "b"].map(|event| vec![Tag::new("event", event)]);
    assert_eq!(logs, two, "{FIRST}");
    assert_omitted::<B>(&span, |omitted| omitted.logs = 2);
}

/// The first fields of a log arrive, and those over the limit are counted.
pub fn log_fields_over_the_limit_are_counted<B: Backend>() {
    let kit = bounded::<B>(|limits| limits.log_fields = 2);
    let span = kit.tracing.span("work").start();
    span.log([("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    span.log([("a", 1), ("b", 2)]);
    span.log([("a", 1), ("b", 2), ("c", 3)]);
    span.finish();
    let span = kit.only();
    assert_eq!(span.logs.len(), 3, "no log is left out for its fields");
    for log in &span.logs {
        assert_in_order::<B>(&log.fields, [("a", 1), ("b", 2)], FIRST);
    }
    assert_omitted::<B>(&span, |omitted| omitted.log_fields = 3);
}

/// The parent and the first references arrive, and those over the limit are counted.
pub fn references_over_the_limit_are_counted<B: Backend>() {
    let kit = bounded::<B>(|limits| limits.references = 1);
    let mut span = kit.tracing.span("work");
    for id in 1..=4 {
        span = span.child_of(elsewhere(7, id, TraceFlags::SAMPLED));
    }
    span.start().finish();
    let span = kit.only();
    let ids: Vec<u64> = span.references.iter().map(|to| to.span_id.get()).collect();
    let expected: &[u64] = if B::CAPABILITIES.has(Feature::References) {
        &[1, 2]
    } else {
        &[]
    };
    assert_eq!(
        ids, expected,
        "the parent and as many references as the limit says arrive (left), the first of them (right)"
    );
    assert_omitted::<B>(&span, |omitted| omitted.references = 2);
}

/// A text over the limit arrives up to it, cut between characters, and is counted; one that just fits arrives whole.
pub fn long_texts_are_cut_between_characters<B: Backend>() {
    let kit = bounded::<B>(|limits| limits.value_bytes = 5);
    let span = kit
        .tracing
        .span("work")
        .tag("at the start", "123456")
        .start();
    // Two bytes each.
    span.set_tag("cut", "äöü");
    span.set_tag("fits", "äöu");
    span.set_tags([("at once", "123456")]);
    span.log([("event", "abcdef"), ("fits", "abcde")]);
    span.finish();
    let span = kit.only();
    let tags = [
        ("at the start", "12345"),
        ("cut", "äö"),
        ("fits", "äöu"),
        ("at once", "12345"),
    ];
    let rule = "texts arrive (left) up to the limit, whole characters of them (right)";
    assert_in_order::<B>(&span.tags, tags, rule);
    let cut = [("event", "abcde"), ("fits", "abcde")];
    assert_in_order::<B>(fields(&span, 0), cut, rule);
    assert_omitted::<B>(&span, |omitted| omitted.cut_values = 4);
}

/// The error of a request arrives up to the limit, however many pieces it is written in, and is counted if it was cut.
pub fn long_errors_are_cut<B: Backend>() {
    for (pieces, shown, cut) in [
        (["ab", "cd", "ef", "gh"], "abcde", 1),
        (["abc", "d", "", "e"], "abcde", 0),
        (["ab", "ö", "ö", ""], "abö", 1),
    ] {
        let kit = bounded::<B>(|limits| limits.value_bytes = 5);
        let server = Instrumentation::new(&kit.tracing, "testkit");
        let request = Request::get("/").body(()).expect("a request");
        server.begin(&request).fail(None, &Pieces(pieces));
        let span = kit.only();
        let message = fields(&span, 0).iter().find(|tag| tag.key == "message");
        assert_eq!(
            message,
            Some(&Tag::new("message", shown)),
            "an error arrives (left) up to the limit (right)"
        );
        assert_omitted::<B>(&span, |omitted| omitted.cut_values = cut);
    }
}

/// Writes one after the other.
struct Pieces([&'static str; 4]);

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| f.write_str(piece))
    }
}

/// Whatever is set on it, a span holds no more than the default limits: it arrives, and says what it left out.
pub fn default_limits_bound_a_span<B: Backend>() {
    let kit = Kit::<B>::new();
    let span = kit.tracing.span("busy").start();
    for number in 0..200 {
        span.set_tag(format!("tag {number}"), number);
        let fields: Vec<Tag> = (0..40).map(|n| Tag::new(format!("{n}"), n)).collect();
        span.log(fields);
    }
    span.set_tag("tag 0", "x".repeat(100_000));
    span.finish();
    let span = kit.only();
    assert_eq!(
        (span.tags.len(), span.logs.len()),
        (128, 128),
        "so many tags and logs arrive (left) as the default limits say (right)"
    );
    let last = B::CAPABILITIES.value(127);
    assert_eq!(span.tag("tag 127"), Some(&last), "{FIRST}");
    assert!(
        span.logs.iter().all(|log| log.fields.len() == 32),
        "32 fields of each log arrive"
    );
    let text = span.tag("tag 0").and_then(|value| value.as_str());
    let whole = text.is_some_and(|text| text == "x".repeat(4096));
    let bytes = text.map(str::len);
    assert!(whole, "4,096 bytes of a long text arrive, not {bytes:?}");
    assert_omitted::<B>(&span, |omitted| {
        omitted.tags = 72;
        omitted.logs = 72;
        omitted.log_fields = 128 * 8;
        omitted.cut_values = 1;
    });
}
