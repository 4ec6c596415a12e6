//! A finished span as Jaeger's Thrift structures.

use std::time::{SystemTime, UNIX_EPOCH};

use opentracing_http::{
    FinishedSpan, Log, Omitted, Reference, ReferenceKind, SpanContext, Tag, Value,
};
use rustracing_jaeger::thrift::jaeger;

/// `jaeger.thrift`, `Span.flags`.
const SAMPLED: i32 = 1;
const DEBUG: i32 = 2;

/// The whole span: what its policy's limits left out is said in the tag `opentracing.omitted`.
pub(crate) fn span(span: &FinishedSpan) -> jaeger::Span {
    let context = span.context();
    let start = micros(span.start());
    let mut tags: Vec<jaeger::Tag> = span.tags().into_iter().map(tag).collect();
    if let Some(text) = omitted(span.omitted()) {
        tags.push(tag(Tag::new("opentracing.omitted", text)));
    }
    jaeger::Span {
        trace_id_low: low_half(&context),
        trace_id_high: high_half(&context),
        span_id: context.span_id().get().cast_signed(),
        parent_span_id: span
            .parent_id()
            .map_or(0, |parent| parent.get().cast_signed()),
        operation_name: span.name().to_owned(),
        references: span.references().map(reference).collect(),
        flags: flags(&context),
        start_time: start,
        // Both ends are rounded alike, so that a child's never stand out of its parent's.
        duration: micros(span.end()) - start,
        tags,
        logs: span.logs().into_iter().map(log).collect(),
    }
}

/// A tag or a log field, with its type.
pub(crate) fn tag(tag: Tag) -> jaeger::Tag {
    let key = tag.key.into_owned();
    match tag.value {
        Value::Str(value) => jaeger::Tag::String {
            key,
            value: value.into_owned(),
        },
        Value::Bool(value) => jaeger::Tag::Bool { key, value },
        Value::I64(value) => jaeger::Tag::Long { key, value },
        Value::F64(value) => jaeger::Tag::Double { key, value },
        other => jaeger::Tag::String {
            key,
            value: other.to_string(),
        },
    }
}

fn log(log: Log) -> jaeger::Log {
    jaeger::Log {
        timestamp: micros(log.time),
        fields: log.fields.into_iter().map(tag).collect(),
    }
}

fn reference(reference: &Reference) -> jaeger::SpanRef {
    jaeger::SpanRef {
        kind: match reference.kind {
            ReferenceKind::FollowsFrom => jaeger::SpanRefKind::FollowsFrom,
            _ => jaeger::SpanRefKind::ChildOf,
        },
        trace_id_low: low_half(&reference.context),
        trace_id_high: high_half(&reference.context),
        span_id: reference.context.span_id().get().cast_signed(),
    }
}

fn flags(context: &SpanContext) -> i32 {
    let flags = context.flags();
    let sampled = if flags.is_sampled() { SAMPLED } else { 0 };
    let debug = if flags.is_debug() { DEBUG } else { 0 };
    sampled | debug
}

#[allow(clippy::cast_possible_truncation)]
fn low_half(context: &SpanContext) -> i64 {
    context.trace_id().get() as i64
}

fn high_half(context: &SpanContext) -> i64 {
    (context.trace_id().get() >> 64) as i64
}

/// Microseconds since 1970; negative before.
fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
        }
    }
}

fn omitted(omitted: Omitted) -> Option<String> {
    let counts = [
        ("tags", omitted.tags),
        ("logs", omitted.logs),
        ("log fields", omitted.log_fields),
        ("references", omitted.references),
        ("ends of values", omitted.cut_values),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_before_1970_are_negative() {
        assert_eq!(micros(UNIX_EPOCH - Duration::from_micros(7)), -7);
        assert_eq!(micros(UNIX_EPOCH + Duration::from_nanos(1_999)), 1);
    }
}
