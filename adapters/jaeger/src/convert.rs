//! Converts finished spans to Jaeger's Thrift structures.

use std::time::{SystemTime, UNIX_EPOCH};

use opentracing_http::report::Omitted;
use opentracing_http::report::{Reference, ReferenceKind};
use opentracing_http::{FinishedSpan, SpanContext, Tag, Value};
use rustracing_jaeger::thrift::jaeger;

/// `Span.flags` of `jaeger.thrift`.
const SAMPLED: i32 = 1;
const DEBUG: i32 = 2;

/// The last second of the year 9999, in microseconds since 1970. Older agents lose the whole batch if a time is later,
/// or before 1970.
const LATEST: i64 = 253_402_300_799_000_000;

/// Converts a span. The tag `opentracing.omitted` names what the policy's limits left out, and `opentracing.clamped`
/// the times that Jaeger does not accept.
pub(crate) fn span(span: &FinishedSpan) -> jaeger::Span {
    let context = span.context();
    let (start, is_start_clamped) = micros(span.start());
    let (end, is_end_clamped) = micros(span.end());
    let mut clamped_logs = 0;
    let logs = span.logs().into_iter().map(|log| {
        let (timestamp, is_clamped) = micros(log.time);
        clamped_logs += u32::from(is_clamped);
        jaeger::Log {
            timestamp,
            fields: log.fields.into_iter().map(tag).collect(),
        }
    });
    let logs = logs.collect();
    let mut tags: Vec<jaeger::Tag> = span.tags().into_iter().map(tag).collect();
    if let Some(text) = clamped(is_start_clamped, is_end_clamped, clamped_logs) {
        tags.push(tag(Tag::new("opentracing.clamped", text)));
    }
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
        // Both ends are rounded down, so that a child's times are within its parent's, except that a span lasts at
        // least a microsecond: Jaeger warns about a span without duration.
        duration: (end - start).max(1),
        tags,
        logs,
    }
}

/// Converts a tag or a log field, with its type. A float that is not finite becomes text: Jaeger cannot show a trace
/// that contains one.
pub(crate) fn tag(tag: Tag) -> jaeger::Tag {
    let key = tag.key.into_owned();
    match tag.value {
        Value::Str(value) => jaeger::Tag::String {
            key,
            value: value.into(),
        },
        Value::Bool(value) => jaeger::Tag::Bool { key, value },
        Value::I64(value) => jaeger::Tag::Long { key, value },
        Value::F64(value) if value.is_finite() => jaeger::Tag::Double { key, value },
        other => jaeger::Tag::String {
            key,
            value: other.to_string(),
        },
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

/// Returns microseconds since 1970, clamped between 0 and [`LATEST`], and whether the time was clamped.
fn micros(time: SystemTime) -> (i64, bool) {
    let Ok(since) = time.duration_since(UNIX_EPOCH) else {
        return (0, true);
    };
    match i64::try_from(since.as_micros()) {
        Ok(micros) if micros <= LATEST => (micros, false),
        _ => (LATEST, true),
    }
}

/// Returns which times were clamped.
fn clamped(start: bool, end: bool, logs: u32) -> Option<String> {
    let logs = (logs > 0).then(|| format!("{logs} logs"));
    let parts = [
        start.then_some("start"),
        end.then_some("end"),
        logs.as_deref(),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
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
    fn times_are_rounded_down_within_what_jaeger_takes() {
        let after = |duration| micros(UNIX_EPOCH + duration);
        assert_eq!(micros(UNIX_EPOCH - Duration::from_nanos(100)), (0, true));
        assert_eq!(after(Duration::from_nanos(1_999)), (1, false));
        let latest = Duration::from_micros(LATEST.cast_unsigned());
        assert_eq!(after(latest), (LATEST, false));
        assert_eq!(after(latest + Duration::from_micros(1)), (LATEST, true));
    }
}
