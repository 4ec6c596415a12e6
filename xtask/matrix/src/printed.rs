//! Converts the lines of the custom tracer's example to the collector's spans.

use std::time::{Duration, UNIX_EPOCH};

use example_contract::{Printed, printed};
use opentracing_testkit::tracer::ReceivedLog;
use xtask_collector::{Log, Span, Tag, TraceId, Value};

/// Parses a line in the format that the custom tracer documents. Returns `None` if it is not a span's.
pub(crate) fn span(line: &str) -> Option<Result<Span, String>> {
    Some(printed(line)?.map(collected))
}

fn collected(Printed { service, span }: Printed) -> Span {
    let start = span.start.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (start, duration) = (micros(start), micros(span.duration));
    // The times of logs are not printed, so they are set to the span's end.
    let logs = span.logs.iter().map(|log| at(start + duration, log));
    Span {
        logs: logs.collect(),
        name: span.name,
        service,
        start_micros: Some(start),
        duration_micros: Some(duration),
        process_tags: Vec::new(),
        trace_id: TraceId(span.trace_id.get()),
        id: span.span_id.get(),
        parent_id: span.parent_id.map_or(0, |id| id.get()),
        references: Vec::new(),
        flags: None,
        tags: span.tags.iter().map(tag).collect(),
    }
}

fn at(micros: i64, log: &ReceivedLog) -> Log {
    Log {
        micros,
        fields: log.fields.iter().map(tag).collect(),
    }
}

/// Printed values have no types; numbers and booleans are recognized by their form.
fn tag(tag: &opentracing_http::Tag) -> Tag {
    let text = tag.value.to_string();
    let value = match (text.parse(), text.parse()) {
        (Ok(number), _) => Value::Long(number),
        (_, Ok(bool)) => Value::Bool(bool),
        _ => Value::Text(text),
    };
    Tag {
        key: tag.key.to_string(),
        value,
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_span() {
        let line = "span\ttrace=0123456789abcdef0123456789abcdef\tid=00000000000000ff\tparent=-\tname=GET /\t\
                    service=shop\tstart=10\tduration=5\thttp.status_code=503\terror=true\tquery=a=b\tlog.0.message=no";
        let span = span(line).unwrap().unwrap();
        assert_eq!((span.id, span.parent_id, &*span.name), (255, 0, "GET /"));
        assert_eq!(span.end_micros(), Some(15));
        assert_eq!(span.tag("http.status_code"), Some(&Value::Long(503)));
        assert_eq!(span.tag("error"), Some(&Value::Bool(true)));
        assert_eq!(span.tag("query"), Some(&Value::Text("a=b".to_owned())));
        assert_eq!(span.logs[0].micros, 15);
        assert_eq!(
            span.logs[0].field("message"),
            Some(&Value::Text("no".to_owned()))
        );
    }
}
