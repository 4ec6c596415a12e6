//! Values that are set on spans: their types, their limits, and when they are converted.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use allocation_counter::measure;
use opentracing_http::sampler::Never;
use opentracing_http::values::{TagWriter, Text};
use opentracing_http::{
    FinishedSpan, HttpTracing, InMemoryTracer, Limits, LogFields, NoopTracer, Span, Tag, TagValue,
    Value,
};

/// Returns the finished span after `use_it` has used it.
fn after(limits: Limits, use_it: impl FnOnce(&Span)) -> FinishedSpan {
    let tracer = InMemoryTracer::new();
    let policy = HttpTracing::builder(tracer.clone()).limits(limits);
    let span = policy.build().unwrap().span("work").start();
    use_it(&span);
    span.finish();
    tracer.take().remove(0)
}

fn value(value: impl TagValue) -> Option<Value> {
    after(Limits::default(), |span| span.set_tag("key", value)).tag("key")
}

#[test]
fn whole_numbers_are_numbers_if_they_fit_and_text_if_not() {
    assert_eq!(value(7_usize), Some(Value::I64(7)));
    assert_eq!(value(-7_isize), Some(Value::I64(-7)));
    assert_eq!(value(i64::MAX as u64), Some(Value::I64(i64::MAX)));
    assert_eq!(value(i64::MAX as u64 + 1).unwrap(), "9223372036854775808");
    assert_eq!(value(i128::from(i64::MIN)), Some(Value::I64(i64::MIN)));
    assert_eq!(value(i128::MIN).unwrap(), &*i128::MIN.to_string());
    assert_eq!(value(u128::MAX).unwrap(), &*u128::MAX.to_string());
}

#[test]
fn text_of_every_kind_is_text() {
    let owned = String::from("text");
    for found in [
        value(&*owned),
        value(&owned),
        value(owned.clone()),
        value(Cow::Borrowed(&*owned)),
        value(Cow::<str>::Owned(owned.clone())),
        value(Box::<str>::from("text")),
        value(Arc::<str>::from("text")),
        value(Text::from_static("text")),
        value(Some(&Value::from("text"))),
        value(format_args!("{}xt", "te")),
        value(Value::display(&owned)),
    ] {
        assert_eq!(found.unwrap(), "text");
    }
    assert_eq!(value('é').unwrap(), "é");
    let address: SocketAddr = "[::1]:80".parse().unwrap();
    assert_eq!(value(address).unwrap(), "[::1]:80");
    assert_eq!(value(IpAddr::from([127, 0, 0, 1])).unwrap(), "127.0.0.1");
}

#[test]
fn none_sets_nothing_and_a_tag_with_the_same_key_stays() {
    let span = after(Limits::default(), |span| {
        span.set_tag("key", 1);
        span.set_tag("key", None::<i64>);
        span.set_tags((("key", None::<&str>), ("other", Some("set"))));
        span.log((("event", "retry"), ("attempt", None::<u32>)));
    });
    assert_eq!(span.tag("key"), Some(Value::I64(1)));
    assert_eq!(span.tag("other").unwrap(), "set");
    assert_eq!(span.logs()[0].fields, [Tag::new("event", "retry")]);
    let tracing = HttpTracing::new(NoopTracer);
    drop(tracing.span("work").tag("key", None::<i64>).start());
}

#[test]
fn fields_and_tags_can_have_several_types() {
    let list = vec![("g", 7)];
    let span = after(Limits::default(), |span| {
        span.log((("event", "retry"), ("attempt", 2), ("final", false)));
        span.log(format_args!("{}", 4));
        span.log(&list);
        span.log(&[Tag::new("h", 8)][..]);
        span.set_tags((("a", 1), Tag::new("b", "two"), ("c", 3.5)));
        span.set_tags(&list);
        #[rustfmt::skip]
        span.log((
            ("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5), ("6", 6),
            ("7", 7), ("8", 8), ("9", 9), ("10", 10), ("11", 11), ("12", true),
        ));
    });
    let logs = span.logs();
    let fields = |at: usize| logs[at].fields.clone();
    let expected = [
        Tag::new("event", "retry"),
        Tag::new("attempt", 2),
        Tag::new("final", false),
    ];
    assert_eq!(fields(0), expected);
    assert_eq!(fields(1), [Tag::new("event", "4")]);
    assert_eq!(fields(2), [Tag::new("g", 7)]);
    assert_eq!(fields(3), [Tag::new("h", 8)]);
    assert_eq!(fields(4).len(), 12);
    assert_eq!(fields(4)[11], Tag::new("12", true));
    let tags = [("a", Value::I64(1)), ("b", "two".into()), ("c", 3.5.into())];
    for (key, value) in tags {
        assert_eq!(span.tag(key), Some(value));
    }
    assert_eq!(span.tag("g"), Some(Value::I64(7)));
}

/// Displays an endless text, and counts the bytes that were requested.
struct Endless<'a>(&'a Cell<usize>);

impl fmt::Display for Endless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..1_000_000 {
            f.write_str("é")?;
            self.0.set(self.0.get() + 1);
        }
        Ok(())
    }
}

#[test]
fn displayed_values_are_bounded_while_they_are_made() {
    let shown = Cell::new(0);
    let limits = Limits::default().with_value_bytes(101);
    let span = after(limits, |span| {
        span.set_tag("key", Value::display(Endless(&shown)));
    });
    assert!(shown.get() < 60, "{}", shown.get());
    assert_eq!(span.tag("key").unwrap(), &*"é".repeat(50));
    assert_eq!(span.omitted().cut_values, 1);
}

#[test]
fn values_of_just_the_limit_are_not_cut() {
    let limits = Limits::default().with_value_bytes(5);
    for (text, cut) in [
        ("12345", 0),
        ("123456", 1),
        ("12345é", 1),
        ("123456789012", 1),
    ] {
        let span = after(limits, |span| {
            span.set_tag("borrowed", text);
            span.set_tag("displayed", Value::display(text));
            span.set_tag("owned", text.to_owned());
            span.log((("event", text),));
        });
        for key in ["borrowed", "displayed", "owned"] {
            assert_eq!(span.tag(key).unwrap(), "12345", "{key} {text}");
        }
        assert_eq!(span.logs()[0].fields, [Tag::new("event", "12345")]);
        assert_eq!(span.omitted().cut_values, 4 * cut, "{text}");
    }
}

/// Uses the span, or panics, while it is displayed.
struct Foreign<'a> {
    span: &'a Span,
    panics: bool,
}

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Would block forever if the span were locked.
        self.span.set_tag("seen", true);
        assert!(!self.panics, "as asked for");
        f.write_str("shown")
    }
}

#[test]
fn panic_of_a_displayed_value_loses_that_value_and_is_counted() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let span = tracing.span("work").start();
    let foreign = |panics| {
        let span = &*span;
        Value::display(Foreign { span, panics })
    };
    span.set_tag("good", foreign(false));
    span.set_tag("bad", foreign(true));
    span.set_tags((("worse", foreign(true)), ("next", 1)));
    span.log((
        ("event", "seen"),
        ("bad", foreign(true)),
        ("good", foreign(false)),
    ));
    drop(tracing.span("other").tag("bad", foreign(true)).start());
    assert_eq!(tracing.caught_panics(), 4);
    span.finish();
    let span = tracer.named("work").remove(0);
    assert_eq!((span.tag("bad"), span.tag("worse")), (None, None));
    assert_eq!(span.tag("good").unwrap(), "shown");
    assert_eq!(span.tag("next"), Some(Value::I64(1)));
    let fields = &span.logs()[0].fields;
    assert_eq!(
        *fields,
        [Tag::new("event", "seen"), Tag::new("good", "shown")]
    );
}

/// Counts its conversions.
struct Counted<'a>(&'a Cell<usize>);

impl TagValue for Counted<'_> {
    fn to_value(&self, _: usize) -> Option<Value> {
        self.0.set(self.0.get() + 1);
        Some(0.into())
    }
}

#[test]
fn values_are_converted_only_where_they_are_kept() {
    let count = Cell::new(0);
    let tracing = HttpTracing::new(NoopTracer);
    let unrecorded = tracing.span("work").start();
    unrecorded.set_tag("key", Counted(&count));
    unrecorded.set_tags([("key", Counted(&count))]);
    unrecorded.log([("key", Counted(&count))]);
    Span::none().set_tag("key", Counted(&count));
    Span::none().set_tags([("key", Counted(&count))]);
    let ended = after(Limits::default(), |_| ());
    drop(ended);
    let span = HttpTracing::new(InMemoryTracer::new()).span("work").start();
    let handle = (*span).clone();
    span.finish();
    handle.set_tag("key", Counted(&count));
    handle.set_tags([("key", Counted(&count))]);
    assert_eq!(count.get(), 0);
    // Fields beyond the limit are counted, not converted.
    let limits = Limits::default().with_log_fields(1);
    let span = after(limits, |span| {
        span.log([1, 2, 3].map(|_| ("key", Counted(&count))));
    });
    assert_eq!((count.get(), span.omitted().log_fields), (1, 2));
    // It decides about sampling, so it is always converted.
    unrecorded.set_tag("sampling.priority", Counted(&count));
    unrecorded.set_tags((
        ("other", Counted(&count)),
        ("sampling.priority", Counted(&count)),
    ));
    assert_eq!(count.get(), 3);
}

#[test]
fn priority_that_is_set_with_other_tags_decides() {
    let tracer = InMemoryTracer::new();
    let policy = HttpTracing::builder(tracer.clone()).sampler(Never);
    let span = policy.build().unwrap().span("work").start();
    span.set_tags((("other", "text"), ("sampling.priority", 1)));
    span.child("part").finish();
    assert_eq!(tracer.finished().len(), 1);
}

const LONG: &str = "a text that is much longer than the 24 bytes that are held inline";

/// Returns the number of allocations of a second call.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    measure(run).count_total
}

#[test]
fn borrowed_text_on_a_span_that_is_not_recorded_costs_no_allocation() {
    let unrecorded = HttpTracing::new(NoopTracer).span("work").start();
    let text = LONG.to_owned();
    let set = || {
        unrecorded.set_tag("borrowed", &*text);
        unrecorded.set_tag("displayed", Value::display(&text));
        unrecorded.set_tags((("borrowed", &*text), ("number", 1)));
        unrecorded.log(&*text);
        unrecorded.log((("event", &*text), ("number", 1)));
        unrecorded.record_error(&std::fmt::Error);
    };
    assert_eq!(allocations(set), 0);
}

#[test]
fn short_text_static_text_and_a_strings_buffer_cost_no_allocation() {
    const STATIC: Text = Text::from_static(LONG);
    let span = HttpTracing::new(InMemoryTracer::new()).span("work").start();
    let short = "24 bytes are held inline".to_owned();
    assert_eq!(allocations(|| span.set_tag("short", &*short)), 0);
    assert_eq!(allocations(|| span.set_tag("number", u64::MAX)), 1);
    let address: SocketAddr = "192.168.100.200:65000".parse().unwrap();
    assert_eq!(allocations(|| span.set_tag("address", address)), 0);
    assert_eq!(allocations(|| span.set_tag("static", STATIC)), 0);
    assert_eq!(allocations(|| span.set_tag("copied", LONG)), 1);
    assert_eq!(allocations(|| span.set_tag("owned", LONG.to_owned())), 1);
    let huge = "x".repeat(1 << 20);
    span.set_tag("huge", &*huge);
    let copied = measure(|| span.set_tag("huge", &*huge));
    assert!(copied.bytes_total < 10_000, "{}", copied.bytes_total);
}

#[test]
fn value_is_no_larger_than_text() {
    assert_eq!(size_of::<Value>(), size_of::<String>());
    assert_eq!(size_of::<Tag>(), 2 * size_of::<String>());
}

/// An error with a cause.
#[derive(Debug)]
struct Failed(fmt::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn errors_are_recorded_boxed_or_not() {
    let one = || Failed(fmt::Error);
    let span = after(Limits::default(), |span| {
        span.record_error(&one());
        span.record_error(&one() as &dyn Error);
        span.record_error(&Box::new(one()));
        span.record_error(&(Box::new(one()) as Box<dyn Error>));
        span.record_error(&(Box::new(one()) as Box<dyn Error + Send>));
        span.record_error(&(Box::new(one()) as Box<dyn Error + Send + Sync>));
    });
    assert_eq!(span.tag("error"), Some(Value::Bool(true)));
    let cause = fmt::Error.to_string();
    let expected = [
        Tag::new("event", "error"),
        Tag::new("message", "failed"),
        Tag::new("error.cause", &*cause),
    ];
    assert_eq!(span.logs().len(), 6);
    for log in span.logs() {
        assert_eq!(log.fields, expected);
    }
}

struct Retry<'a> {
    attempt: u32,
    reason: Option<&'a str>,
}

impl LogFields for Retry<'_> {
    fn write(self, fields: &mut TagWriter<'_>) {
        fields.add("event", "retry");
        fields.add("attempt", self.attempt);
        fields.add("reason", self.reason);
    }
}

#[test]
fn fields_of_a_users_type_are_logged() {
    let span = after(Limits::default(), |span| {
        for reason in [None, Some("timeout")] {
            span.log(Retry { attempt: 2, reason });
        }
    });
    let [first, second] = &*span.logs() else {
        panic!("two logs");
    };
    assert_eq!(first.fields.len(), 2);
    assert_eq!(second.fields[2], Tag::new("reason", "timeout"));
}
