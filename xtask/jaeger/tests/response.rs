//! Tests of decoded responses of Jaeger's query API: responses that were recorded from Jaeger 2.13, and changed ones.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use xtask_collector::{Reference, ReferenceKind, Span, TraceId, Value};
use xtask_jaeger::{Left, Received, read};

/// Four responses, one after the other: references, errors, types, kinds.
const RECORDED: &str = include_str!("responses/recorded.jsonl");

/// Returns a response with one span, which has these fields besides its ids.
fn response(fields: &str) -> String {
    format!(
        r#"{{"result":{{"resourceSpans":[{{
            "resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
            "scopeSpans":[{{"spans":[{{
                "traceId":"0000000000000000000000000000000a","spanId":"000000000000000b",{fields}
            }}]}}]
        }}]}}}}"#
    )
}

fn only(fields: &str) -> Received {
    let mut spans = read(&response(fields)).unwrap();
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

#[track_caller]
fn named(name: &str) -> Received {
    let spans = read(RECORDED).unwrap();
    let mut found = spans.into_iter().filter(|span| span.name == name);
    found
        .next()
        .unwrap_or_else(|| panic!("no span is called {name}"))
}

fn reference(kind: ReferenceKind, trace_id: u128, span_id: u64) -> Reference {
    Reference {
        kind,
        trace_id: TraceId(trace_id),
        span_id,
    }
}

#[test]
fn responses_in_a_stream_are_all_read() {
    let spans = read(RECORDED).unwrap();
    let services: Vec<_> = spans.iter().map(|span| span.service.as_str()).collect();
    let expected = [
        "udp-0", "udp-0", "udp-0", "udp-0", "udp-3", "udp-3", "udp-1", "udp-1", "udp-5", "udp-5",
    ];
    assert_eq!(services, expected);
}

#[test]
fn ids_times_and_the_process_are_read_to_the_last_digit() {
    let join = named("join");
    assert_eq!(
        (join.trace_id, join.id, join.parent_id),
        (TraceId(1), 0x2501_6ddd_4d77_48b7, 0xb)
    );
    assert_eq!(join.start, Duration::from_nanos(1_795_799_656_844_099_000));
    assert_eq!(join.end - join.start, Duration::from_micros(36));
    let keys: Vec<_> = join
        .process_tags
        .iter()
        .map(|tag| tag.key.as_str())
        .collect();
    assert_eq!(keys, ["opencensus.exporterversion", "host.name", "ip"]);
    let span = Span::from(join);
    assert_eq!(span.start_micros, Some(1_795_799_656_844_099));
    assert_eq!(span.duration_micros, Some(36));
    assert_eq!(named("parent").parent_id, 0);
}

#[test]
fn links_are_references_and_the_parent_is_the_first() {
    use ReferenceKind::{ChildOf, FollowsFrom};
    let join = [
        reference(ChildOf, 1, 0xb),
        reference(FollowsFrom, 2, 0xc),
        reference(ChildOf, 3, 0xd),
    ];
    assert_eq!(named("join").references, join);
    assert_eq!(named("parent").references, []);
}

#[test]
fn a_parent_that_a_link_names_is_not_named_twice() {
    let follower = only(
        r#""parentSpanId":"000000000000000c","links":[{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000c",
        "attributes":[{"key":"opentracing.ref_type","value":{"stringValue":"follows_from"}}]}]"#,
    );
    let cause = reference(ReferenceKind::FollowsFrom, 0xa, 0xc);
    assert_eq!(
        (follower.parent_id, &*follower.references),
        (0xc, &[cause][..])
    );
}

#[test]
fn values_keep_their_types_and_their_last_bit() {
    let spans = read(RECORDED).unwrap();
    let span = spans.into_iter().find(|span| span.tags.len() == 15);
    let span = Span::from(span.unwrap());
    for (key, value) in [
        ("owned", Value::Text("1".to_owned())),
        ("yes", Value::Bool(true)),
        ("no", Value::Bool(false)),
        ("zero", Value::Long(0)),
        ("greatest", Value::Long(i64::MAX)),
        ("least", Value::Long(i64::MIN)),
        ("third", Value::Double(1.0 / 3.0)),
        ("whole", Value::Double(-2.0)),
        ("huge", Value::Double(f64::MAX)),
        ("tiny", Value::Double(f64::MIN_POSITIVE)),
    ] {
        assert_eq!(span.tag(key), Some(&value), "{key}");
    }
}

#[test]
fn a_list_keeps_the_types_of_its_values() {
    let span = Span::from(only(
        r#""attributes":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"1"},{"intValue":"1"}]}}},
        {"key":"b","value":{"arrayValue":{}}}]"#,
    ));
    let values = vec![Value::from("1"), Value::Long(1)];
    assert_eq!(span.tag("a"), Some(&Value::List(values)));
    assert_eq!(span.tag("b"), Some(&Value::List(Vec::new())));
}

#[test]
fn kind_error_and_event_are_tags_and_fields_again() {
    let spans = read(RECORDED).unwrap();
    let tags = |of: fn(&&Received) -> bool| {
        let span = spans.iter().find(of).unwrap();
        let tags = span.tags.iter();
        tags.map(|tag| format!("{}={}", tag.key, tag.value))
            .collect::<Vec<_>>()
    };
    let client = tags(|span| span.service == "udp-5" && span.name == "work");
    assert_eq!(client, ["span.kind=client"]);
    let failed = tags(|span| span.service == "udp-3" && span.name == "work");
    assert_eq!(failed, ["error=true"]);
    let failed = spans.iter().find(|span| !span.logs.is_empty()).unwrap();
    let fields: Vec<_> = failed.logs.iter().map(|(_, fields)| fields).collect();
    assert_eq!(fields.len(), 2);
    assert_eq!(
        (&*fields[0][0].key, &fields[0][0].value),
        ("event", &Value::from("error"))
    );
    assert_eq!(fields[0].len(), 3);
}

#[test]
fn enumerations_may_have_names() {
    let span = Span::from(only(
        r#""kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}"#,
    ));
    assert_eq!(span.tag("span.kind"), Some(&Value::from("server")));
    assert_eq!(span.tag("error"), Some(&Value::Bool(true)));
    let ok = Span::from(only(r#""kind":1,"status":{"code":1}"#));
    assert_eq!(ok.tags, []);
}

#[test]
fn what_only_otlp_carries_is_read() {
    let span = only(
        r#""flags":259,"traceState":"a=b","droppedAttributesCount":3,"droppedEventsCount":2,"droppedLinksCount":1,
        "events":[{"timeUnixNano":"5","droppedAttributesCount":4}]"#,
    );
    assert_eq!((span.flags, &*span.tracestate), (Some(1), "a=b"));
    let left = Left {
        tags: 3,
        logs: 2,
        log_fields: 4,
        references: 1,
    };
    assert_eq!(span.left, left);
    assert_eq!(span.logs, [(Duration::from_nanos(5), Vec::new())]);
    assert_eq!(named("join").flags, None);
}

#[test]
fn what_is_not_understood_is_an_error_and_not_left_out() {
    let pairs =
        r#""attributes":[{"key":"a","value":{"arrayValue":{"values":[{"kvlistValue":{}}]}}}]"#;
    for wrong in [
        String::new(),
        "{}".to_owned(),
        RECORDED[..RECORDED.len() - 3].to_owned(),
        r#"{"error":{"httpCode":500,"message":"unsupported value"}}"#.to_owned(),
        format!("{}{}", response(r#""name":"x""#), r#"{"error":"later"}"#),
        response(pairs),
        response(r#""attributes":[{"key":"a","value":{}}]"#),
        response(r#""parentSpanId":"0c""#),
        response(r#""startTimeUnixNano":"soon""#),
        response(
            r#""links":[{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000c"}]"#,
        ),
        response(r#""name":"x""#).replace("service.name", "service"),
        response(r#""name":"x""#).replace("000000000000000a", "00000000000000xy"),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_exception_is_the_log_of_an_error() {
    let span = only(
        r#""events":[{"timeUnixNano":"5","name":"exception","attributes":[
            {"key":"exception.message","value":{"stringValue":"no stock"}},
            {"key":"exception.type","value":{"stringValue":"Sold"}},
            {"key":"exception.stacktrace","value":{"stringValue":"at a"}},
            {"key":"shelf","value":{"intValue":"7"}}
        ]}]"#,
    );
    let fields = span.logs[0].1.iter();
    let fields: Vec<_> = fields
        .map(|field| (field.key.as_str(), field.value.to_string()))
        .collect();
    let expected = [
        ("event", "error"),
        ("message", "no stock"),
        ("error.kind", "Sold"),
        ("stack", "at a"),
        ("shelf", "7"),
    ];
    assert_eq!(fields, expected.map(|(key, value)| (key, value.to_owned())));
}

#[test]
fn warnings_are_no_tags() {
    let span = only(
        r#""attributes":[{"key":"@jaeger@warnings","value":{"arrayValue":{"values":[{"stringValue":"odd"}]}}}]"#,
    );
    assert_eq!(span.warnings, ["odd"]);
    assert_eq!(span.tags, []);
}
