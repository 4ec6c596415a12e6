//! What a span says.

use std::time::{Duration, SystemTime};

use http::{Request, StatusCode};
use opentracing_http::server::Instrumentation;
use opentracing_http::{Route, Span, SpanId, SpanKind, Tag, Value};

use crate::tracer::kit::{Kit, assert_in_order, fields, named};
use crate::tracer::{Arrived, Backend, Feature};

/// Asserts that exactly these tags arrived, in whatever order.
#[track_caller]
fn assert_tags<B: Backend>(span: &Arrived, tags: impl IntoIterator<Item = Tag>) {
    let expected = B::CAPABILITIES.tags(tags);
    for tag in &expected {
        let arrived = span.tag(&tag.key);
        assert_eq!(
            arrived,
            Some(&tag.value),
            "the tag {} of the span {} arrives (left) as it was set (right)",
            tag.key,
            span.name
        );
    }
    assert_eq!(
        span.tags.len(),
        expected.len(),
        "each tag arrives once, and no other does; these arrived: {:?}",
        span.tags
    );
}

/// Tags arrive with their types and exact values: text, truth, whole and floating-point numbers to their bounds.
pub fn tags_keep_their_types<B: Backend>() {
    let tags: Vec<Tag> = vec![
        Tag::new("text", "static"),
        Tag::new("owned", String::from("1")),
        Tag::new("yes", true),
        Tag::new("no", false),
        Tag::new("zero", 0),
        Tag::new("greatest", i64::MAX),
        Tag::new("least", i64::MIN),
        Tag::new("byte", u8::MAX),
        Tag::new("unsigned", u32::MAX),
        Tag::new("third", 1.0 / 3.0),
        Tag::new("half", 0.5_f32),
        Tag::new("whole", -2.0),
        Tag::new("huge", f64::MAX),
        Tag::new("tiny", f64::MIN_POSITIVE),
    ];
    let kit = Kit::<B>::new();
    let span = kit.tracing.span("work").tag("at the start", -1).start();
    for tag in tags.clone() {
        span.set_tag(tag.key, tag.value);
    }
    span.finish();
    let first = Tag::new("at the start", -1);
    assert_tags::<B>(&kit.only(), [first].into_iter().chain(tags));
}

/// Floating-point values that are infinite or not a number arrive, in tags and logs: as such, or as text.
pub fn floats_without_a_finite_value_arrive<B: Backend>() {
    let kit = Kit::<B>::new();
    let floats = [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    let as_such = B::CAPABILITIES.has(Feature::TagTypes) && B::CAPABILITIES.has(Feature::NonFinite);
    let span = kit.tracing.span("work").start();
    for (float, text) in floats {
        span.set_tag(text, float);
        span.log([Tag::new(text, float)]);
    }
    span.finish();
    let span = kit.only();
    for (place, (float, text)) in floats.into_iter().enumerate() {
        let tag = span.tag(text).cloned();
        let log = fields(&span, place)
            .first()
            .map(|field| field.value.clone());
        for arrived in [tag, log] {
            let is_right = match &arrived {
                Some(Value::F64(number)) => as_such && number.total_cmp(&float).is_eq(),
                Some(other) => !as_such && other.as_str() == Some(text),
                None => false,
            };
            assert!(is_right, "{text} arrives, not {arrived:?}");
        }
    }
}

/// Texts arrive byte for byte in names, keys, values and logs: empty ones, every script, control characters, separators.
pub fn texts_arrive_unchanged<B: Backend>() {
    for text in [
        "",
        " ",
        "snöwman ☃ \u{1f600} \u{202e}אבג",
        "tab\tline\nreturn\rzero\0end\u{7f}",
        r#"a=b&c="d"\n\\,{};'<e>%41"#,
    ] {
        let kit = Kit::<B>::new();
        let name = format!("name {text}");
        let span = kit.tracing.span(name.clone()).start();
        let key = format!("key {}", text.replace('=', ""));
        span.set_tag(key.clone(), text.to_owned());
        span.log([("event", text.to_owned())]);
        span.finish();
        let span = kit.only();
        assert_eq!(span.name, name, "a name arrives byte for byte");
        let tags = [Tag::new(key, text.to_owned())];
        assert_eq!(span.tags, tags, "a tag arrives byte for byte");
        let event = [Tag::new("event", text.to_owned())];
        assert_eq!(fields(&span, 0), event, "a log arrives byte for byte");
    }
}

/// Of several values under one key only the last arrives, whatever its type.
pub fn last_tag_wins<B: Backend>() {
    let kit = Kit::<B>::new();
    let span = kit.tracing.span("work").tag("n", 1).tag("other", 1).start();
    span.set_tag("n", 2);
    span.set_tag("n", "three");
    span.finish();
    let tags = [Tag::new("n", "three"), Tag::new("other", 1)];
    assert_tags::<B>(&kit.only(), tags);
}

/// The same holds within tags that are set at once, and between them and others.
pub fn last_of_tags_set_at_once_wins<B: Backend>() {
    let kit = Kit::<B>::new();
    let span = kit.tracing.span("twice").start();
    span.set_tags([("a", 1), ("b", 2), ("a", 3)]);
    span.set_tags([("b", 4), ("c", 5)]);
    span.finish();
    let span = kit.tracing.span("at the start").tag("a", 1).start();
    span.set_tags([("a", 2), ("b", 3)]);
    span.finish();
    let spans = kit.arrived(2);
    let tags = [("a", 3), ("b", 4), ("c", 5)];
    assert_tags::<B>(named(&spans, "twice"), tags.map(Tag::from));
    let tags = [("a", 2), ("b", 3)];
    assert_tags::<B>(named(&spans, "at the start"), tags.map(Tag::from));
}

/// A span's kind is its tag `span.kind`; work within a process has none.
pub fn kind_is_a_tag<B: Backend>() {
    let kinds = [
        (SpanKind::Internal, None),
        (SpanKind::Server, Some("server")),
        (SpanKind::Client, Some("client")),
        (SpanKind::Producer, Some("producer")),
        (SpanKind::Consumer, Some("consumer")),
    ];
    for (kind, name) in kinds {
        let kit = Kit::<B>::new();
        kit.tracing.span("work").kind(kind).start().finish();
        let tags = name.map(|name| Tag::new("span.kind", name));
        assert_tags::<B>(&kit.only(), tags);
    }
}

/// A span arrives under the last name that it was given before its end.
pub fn rename_before_finish_wins<B: Backend>() {
    let kit = Kit::<B>::new();
    let span = kit.tracing.span("first").start();
    span.set_name("second");
    span.set_name(String::from("third"));
    let handle = (*span).clone();
    span.finish();
    handle.set_name("too late");
    assert_eq!(
        kit.only().name,
        "third",
        "the last name before the end counts"
    );
}

/// Logs arrive in the order in which they were made, each with the time of its making or the one that it was given.
pub fn logs_keep_order_and_time<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let span = kit.tracing.span("work").start();
    let start = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_micros(5);
    clock.advance(Duration::from_micros(1_500));
    span.log("first");
    span.log_at(long_ago, "second");
    clock.advance(Duration::from_micros(1));
    // Counted from the span's start, on the clock that is never set back.
    clock.set_back(Duration::from_secs(3600));
    span.log(String::from("third"));
    span.log("fourth");
    span.finish();

    let span = kit.only();
    let events = ["first", "second", "third", "fourth"];
    let arrived: Vec<_> = span.logs.iter().map(|log| log.fields.clone()).collect();
    assert_eq!(
        arrived,
        events.map(|event| vec![Tag::new("event", event)]),
        "logs arrive (left) in the order in which they were made (right)"
    );
    let third = start + Duration::from_micros(1_501);
    let times = [start + Duration::from_micros(1_500), long_ago, third, third];
    let times = times.map(|time| {
        let capabilities = B::CAPABILITIES;
        capabilities
            .has(Feature::LogTimes)
            .then(|| capabilities.time(time))
    });
    let arrived: Vec<_> = span.logs.iter().map(|log| log.time).collect();
    assert_eq!(
        arrived, times,
        "logs arrive with the times (left) of their making, or those that they were given (right)"
    );
}

/// The fields of a log arrive in their order, with their types, also two of one name.
pub fn log_fields_arrive<B: Backend>() {
    let kit = Kit::<B>::new();
    let several = || {
        vec![
            Tag::new("event", "retry"),
            Tag::new("attempt", 2),
            Tag::new("event", "again"),
            Tag::new("share", 0.25),
            Tag::new("last", false),
        ]
    };
    let span = kit.tracing.span("work").start();
    span.log(several());
    span.log([("event", "one"), ("field", "two")]);
    span.finish();
    let span = kit.only();
    assert_eq!(span.logs.len(), 2, "each log arrives once");
    let (first, second) = (fields(&span, 0), fields(&span, 1));
    let rule = "fields arrive (left) in their order, also two of one name (right)";
    assert_in_order::<B>(first, several(), rule);
    assert_in_order::<B>(second, [("event", "one"), ("field", "two")], rule);
}

/// An error becomes the tag `error` and a log of it, with its cause where it has one.
pub fn an_error_is_tagged_and_logged<B: Backend>() {
    let kit = Kit::<B>::new();
    let cause = std::io::Error::other("no luck");
    let error = std::io::Error::other(Wraps(cause));
    let span = kit.tracing.span("work").start();
    span.record_error(&error);
    span.record_error(&std::fmt::Error);
    span.finish();
    let span = kit.only();
    assert_tags::<B>(&span, [Tag::new("error", true)]);
    assert_eq!(span.logs.len(), 2, "each error is a log");
    let [first, second] = [0, 1].map(|place| fields(&span, place));
    let values = ["error", "it failed", "no luck"];
    let keys = ["event", "message", "error.cause"];
    let expected = keys.into_iter().zip(values);
    assert_in_order::<B>(first, expected, "the log of an error that has a cause");
    assert_eq!(
        second.len(),
        2,
        "an error without a cause has no field for it"
    );
}

#[derive(Debug)]
struct Wraps(std::io::Error);

impl std::fmt::Display for Wraps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it failed")
    }
}

impl std::error::Error for Wraps {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Asserts that this baggage arrived, if baggage does.
#[track_caller]
fn assert_baggage<B: Backend>(span: &Arrived, baggage: &[(&str, &str)]) {
    let expected = baggage
        .iter()
        .filter(|_| B::CAPABILITIES.has(Feature::Baggage));
    let arrived = span.baggage.iter().map(|(key, value)| (&**key, &**value));
    assert_eq!(
        arrived.collect::<Vec<_>>(),
        expected.copied().collect::<Vec<_>>(),
        "the baggage at the end of the span {} arrives (left) as it was (right)",
        span.name
    );
}

/// The baggage at a span's end arrives, each key once with its last value; a key that no format could carry does not.
pub fn baggage_arrives<B: Backend>() {
    let kit = Kit::<B>::new();
    let span = kit.tracing.span("work").start();
    span.set_baggage_item("user", "ada");
    span.set_baggage_item("role", "ädmin, chief");
    span.set_baggage_item("user", "bob");
    span.set_baggage_item("not a key", "x");
    let user = span.baggage_item("user");
    assert_eq!(
        user.as_deref(),
        Some("bob"),
        "the last value of a key counts"
    );
    let none = span.baggage_item("not a key");
    assert_eq!(none, None, "a key that no format can carry is not kept");
    span.finish();
    assert_baggage::<B>(&kit.only(), &[("user", "bob"), ("role", "ädmin, chief")]);
}

/// Baggage reaches every child and follower that starts after it was set, and nobody else.
pub fn baggage_reaches_children<B: Backend>() {
    let kit = Kit::<B>::new();
    let parent = kit.tracing.span("parent").start();
    let before = parent.child("before");
    parent.set_baggage_item("user", "ada");
    let child = parent.child("child");
    child.set_baggage_item("user", "bob");
    child.set_baggage_item("role", "admin");
    let grandchild = child.child("grandchild");
    let follower = parent.follower("follower");
    for (name, span, user) in [
        ("before", &before, None),
        ("child", &child, Some("bob")),
        ("grandchild", &grandchild, Some("bob")),
        ("follower", &follower, Some("ada")),
        ("parent", &parent, Some("ada")),
    ] {
        let has = span.baggage_item("user");
        assert_eq!(has.as_deref(), user, "the baggage of the span {name}");
        let context = span.context().expect("it is recorded");
        let has = context.baggage().get("user");
        assert_eq!(has, user, "the baggage of the context of {name}");
    }
    drop([grandchild, follower, before, child, parent]);
    let spans = kit.arrived(5);
    let bobs = [("user", "bob"), ("role", "admin")];
    assert_baggage::<B>(named(&spans, "before"), &[]);
    assert_baggage::<B>(named(&spans, "child"), &bobs);
    assert_baggage::<B>(named(&spans, "grandchild"), &bobs);
    assert_baggage::<B>(named(&spans, "follower"), &[("user", "ada")]);
    assert_baggage::<B>(named(&spans, "parent"), &[("user", "ada")]);
}

/// What is done to a span's handles after its end does not arrive, except that its baggage goes on to its children.
pub fn what_comes_after_the_end_changes_nothing<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let owned = kit.tracing.span("work").start();
    let span = (*owned).clone();
    assert!(span.is_recording(), "before its end a span records");
    clock.advance(Duration::from_secs(1));
    owned.finish();
    clock.advance(Duration::from_secs(1));
    assert!(!span.is_recording(), "after its end a span records nothing");
    span.set_tag("late", true);
    span.set_tags([("later", 1)]);
    span.set_name("late");
    span.log("late");
    span.log_at(SystemTime::UNIX_EPOCH, "late");
    span.record_error(&std::fmt::Error);
    span.set_route("/late");
    span.set_tag("sampling.priority", 0);
    span.set_baggage_item("late", "1");
    span.child("child").finish();
    let spans = kit.arrived(2);
    let span = named(&spans, "work");
    assert_eq!(
        (span.tags.len(), span.logs.len()),
        (0, 0),
        "tags and logs of after the end do not arrive: {span:#?}"
    );
    let second = Duration::from_secs(1);
    assert_eq!(span.duration, second, "a span lasts until its end");
    assert!(
        span.omitted.is_empty(),
        "what came after the end is not counted: {:?}",
        span.omitted
    );
    assert_baggage::<B>(span, &[]);
    assert_baggage::<B>(named(&spans, "child"), &[("late", "1")]);
}

fn request(path: &str) -> Request<()> {
    let request = Request::get(path).header("host", "shop.example");
    request.body(()).expect("a request")
}

/// The span of a request arrives named after its route, with the tags of OpenTracing's conventions, below its caller.
pub fn a_request_arrives<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let server = Instrumentation::new(&kit.tracing, "testkit");
    let mut request = request("/users/42?q=1");
    let caller = "00-000000000000000000000000000000ab-00000000000000cd-01";
    let caller = caller.parse().expect("a header's value");
    request.headers_mut().insert("traceparent", caller);
    let mut span = server.begin(&request);
    span.set_route(Route::Template("/users/{id}"));
    span.scope(|| Span::current().child("query").finish());
    clock.advance(Duration::from_micros(250));
    let body = span.respond(&mut { StatusCode::NOT_FOUND });
    assert!(body.is_none(), "there is no body to wait for");

    let spans = kit.arrived(2);
    let span = named(&spans, "GET /users/{id}");
    assert_eq!(
        (span.trace_id.get(), span.parent_id.map(SpanId::get)),
        (0xab, Some(0xcd)),
        "the span of a request arrives below its caller"
    );
    let above = named(&spans, "query").parent_id;
    assert_eq!(above, Some(span.span_id), "a query is below its request");
    assert_eq!(span.logs, [], "a request without an error has no logs");
    assert_tags::<B>(
        span,
        [
            Tag::new("span.kind", "server"),
            Tag::new("component", "testkit"),
            Tag::new("http.method", "GET"),
            Tag::new("http.url", "http://shop.example/users/42"),
            Tag::new("http.route", "/users/{id}"),
            Tag::new("http.status_code", 404),
            Tag::new("http.time_to_head_us", 250),
        ],
    );
}

/// The span of a request that failed is tagged as an error, and its last log is the error.
pub fn a_failed_request_arrives<B: Backend>() {
    let kit = Kit::<B>::new();
    let server = Instrumentation::new(&kit.tracing, "testkit");
    let request = server.begin(&request("/"));
    request.span().log("before");
    request.fail(Some(503), &"no luck");
    let span = kit.only();
    for (key, value) in [
        ("error", B::CAPABILITIES.value(true)),
        ("http.status_code", B::CAPABILITIES.value(503)),
    ] {
        let arrived = span.tag(key);
        assert_eq!(arrived, Some(&value), "the tag {key} of a failed request");
    }
    assert_eq!(span.logs.len(), 2, "the error is one log: {:?}", span.logs);
    let values = ["error", "503", "no luck"];
    let keys = ["event", "error.kind", "message"];
    let expected = keys.into_iter().zip(values);
    assert_in_order::<B>(fields(&span, 1), expected, "the last log is the error");
    let omitted = span.omitted;
    assert!(omitted.is_empty(), "nothing is left out: {omitted:?}");
}
