//! Decodes responses of the query API, version 3: a stream of JSON values, each an error or a part of the result in
//! OTLP's JSON.
//!
//! Jaeger 2.13 sends one value; later versions may send several, one after the other.

use std::time::Duration;

use serde_json::{Deserializer, Value as Json};
use xtask_collector::{Log, Reference, ReferenceKind, Span, Tag, TraceId, Value};

/// A span that Jaeger returned.
///
/// Fields of OTLP into which Jaeger converted tags, fields or references are converted back: the kind is the tag
/// `span.kind`, the status of an error is the tag `error`, an event's name is the field `event`, an exception is the
/// log of an error, and the parent is the first reference if no link names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The service's name.
    pub service: String,
    /// The process' own tags: the resource's attributes, without the service's name.
    pub process_tags: Vec<Tag>,
    /// The trace id.
    pub trace_id: TraceId,
    /// The span id.
    pub id: u64,
    /// The parent's span id, 0 for a root.
    pub parent_id: u64,
    /// The references, the parent first.
    pub references: Vec<Reference>,
    /// W3C's flag `sampled`, if the flags arrive: over Thrift they do not.
    pub flags: Option<i32>,
    /// W3C's `tracestate`; empty if there is none.
    pub tracestate: String,
    /// The operation's name.
    pub name: String,
    /// The start, as time since the epoch.
    pub start: Duration,
    /// The end, as time since the epoch.
    pub end: Duration,
    /// The tags in their order.
    pub tags: Vec<Tag>,
    /// The logs in their order: each with its time since the epoch.
    pub logs: Vec<(Duration, Vec<Tag>)>,
    /// What the sender left out, as it reports.
    pub left: Left,
    /// Jaeger's warnings about the span.
    pub warnings: Vec<String>,
}

/// The numbers of parts that a span's sender left out, as it reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Tags.
    pub tags: u64,
    /// Logs.
    pub logs: u64,
    /// Fields of logs that were sent.
    pub log_fields: u64,
    /// References.
    pub references: u64,
}

impl From<Received> for Span {
    fn from(received: Received) -> Self {
        let lasted = received.end.saturating_sub(received.start);
        let logs = received.logs.into_iter().map(|(time, fields)| Log {
            micros: micros(time),
            fields,
        });
        Self {
            service: received.service,
            process_tags: received.process_tags,
            trace_id: received.trace_id,
            id: received.id,
            parent_id: received.parent_id,
            references: received.references,
            flags: received.flags,
            name: received.name,
            start_micros: Some(micros(received.start)),
            duration_micros: Some(micros(lasted)),
            tags: received.tags,
            logs: logs.collect(),
        }
    }
}

type Result<T> = std::result::Result<T, String>;

/// Decodes the spans of a response.
///
/// # Errors
///
/// Returns the error in the response, or an error if it is malformed.
pub fn read(body: &str) -> Result<Vec<Received>> {
    let (mut spans, mut parts) = (Vec::new(), 0);
    for part in Deserializer::from_str(body).into_iter::<Json>() {
        let part = part.map_err(|error| error.to_string())?;
        if let Some(error) = part.get("error") {
            return Err(format!("Jaeger says {error}"));
        }
        let result = part.get("result").ok_or("it has no result")?;
        for resource in list(result, "resourceSpans") {
            read_resource(resource, &mut spans)?;
        }
        parts += 1;
    }
    match parts {
        0 => Err("it is empty".to_owned()),
        _ => Ok(spans),
    }
}

fn read_resource(resource: &Json, spans: &mut Vec<Received>) -> Result<()> {
    let mut process_tags = tags(&resource["resource"])?;
    let name = process_tags
        .iter()
        .position(|tag| tag.key == "service.name");
    let service = match name.map(|place| process_tags.remove(place).value) {
        Some(Value::Text(service)) => service,
        other => return Err(format!("a service called {other:?}")),
    };
    for scope in list(resource, "scopeSpans") {
        for span in list(scope, "spans") {
            spans.push(read_span(span, &service, &process_tags)?);
        }
    }
    Ok(())
}

fn read_span(span: &Json, service: &str, process_tags: &[Tag]) -> Result<Received> {
    let trace_id = TraceId(id(span, "traceId", 32)?);
    let parent_id = match span["parentSpanId"].as_str() {
        None | Some("") => 0,
        Some(_) => span_id(span, "parentSpanId")?,
    };
    let mut logs = Vec::new();
    let mut left = Left {
        tags: count(span, "droppedAttributesCount")?,
        logs: count(span, "droppedEventsCount")?,
        log_fields: 0,
        references: count(span, "droppedLinksCount")?,
    };
    for event in list(span, "events") {
        let fields = fields(event)?;
        left.log_fields += count(event, "droppedAttributesCount")?;
        logs.push((time(event, "timeUnixNano")?, fields));
    }
    let mut tags = span_tags(span)?;
    let warnings = take_warnings(&mut tags);
    Ok(Received {
        service: service.to_owned(),
        process_tags: process_tags.to_vec(),
        trace_id,
        id: span_id(span, "spanId")?,
        parent_id,
        references: references(span, trace_id, parent_id)?,
        // The other bits describe the past, for example that the id is random.
        flags: match count(span, "flags")? {
            0 => None,
            flags => Some(i32::from(flags & 1 == 1)),
        },
        tracestate: text(span, "traceState").to_owned(),
        name: text(span, "name").to_owned(),
        start: time(span, "startTimeUnixNano")?,
        end: time(span, "endTimeUnixNano")?,
        tags,
        logs,
        left,
        warnings,
    })
}

/// Jaeger stores its warnings among the attributes.
fn take_warnings(tags: &mut Vec<Tag>) -> Vec<String> {
    let place = tags.iter().position(|tag| tag.key == "@jaeger@warnings");
    match place.map(|place| tags.remove(place).value) {
        Some(Value::List(warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Some(warning) => vec![warning.to_string()],
        None => Vec::new(),
    }
}

/// Returns the attributes of an event as the fields of a log, its name first. OpenTelemetry's `exception` becomes
/// OpenTracing's `error`.
fn fields(event: &Json) -> Result<Vec<Tag>> {
    let mut fields = tags(event)?;
    let mut name = text(event, "name");
    if name == "exception" {
        name = "error";
        for field in &mut fields {
            match field.key.as_str() {
                "exception.type" => field.key = "error.kind".to_owned(),
                "exception.message" => field.key = "message".to_owned(),
                "exception.stacktrace" => field.key = "stack".to_owned(),
                _ => {}
            }
        }
    }
    if !name.is_empty() {
        fields.insert(0, tag("event", Value::from(name)));
    }
    Ok(fields)
}

/// Returns the attributes, preceded by the kind and followed by the error.
fn span_tags(span: &Json) -> Result<Vec<Tag>> {
    let kind = match enumeration(&span["kind"], "SPAN_KIND_") {
        Some((2, _) | (_, "SERVER")) => Some("server"),
        Some((3, _) | (_, "CLIENT")) => Some("client"),
        Some((4, _) | (_, "PRODUCER")) => Some("producer"),
        Some((5, _) | (_, "CONSUMER")) => Some("consumer"),
        _ => None,
    };
    let kind = kind.map(|kind| tag("span.kind", Value::from(kind)));
    let mut all: Vec<_> = kind.into_iter().chain(tags(span)?).collect();
    let status = enumeration(&span["status"]["code"], "STATUS_CODE_");
    let is_error = matches!(status, Some((2, _) | (_, "ERROR")));
    if is_error && all.iter().all(|tag| tag.key != "error") {
        all.push(tag("error", Value::Bool(true)));
    }
    Ok(all)
}

/// Parses an enumeration of JSON: a number or a name.
fn enumeration<'a>(value: &'a Json, prefix: &str) -> Option<(u64, &'a str)> {
    let name = value
        .as_str()
        .map(|name| name.strip_prefix(prefix).unwrap_or(name));
    match (value.as_u64(), name) {
        (Some(number), _) => Some((number, "")),
        (None, Some(name)) => Some((0, name)),
        (None, None) => None,
    }
}

fn references(span: &Json, trace_id: TraceId, parent_id: u64) -> Result<Vec<Reference>> {
    let mut references = Vec::new();
    for link in list(span, "links") {
        let attributes = tags(link)?;
        let kind = attributes
            .iter()
            .find(|tag| tag.key == "opentracing.ref_type")
            .map(|tag| tag.value.to_string());
        references.push(Reference {
            kind: match kind.as_deref() {
                Some("child_of") => ReferenceKind::ChildOf,
                Some("follows_from") => ReferenceKind::FollowsFrom,
                other => return Err(format!("a link whose opentracing.ref_type is {other:?}")),
            },
            trace_id: TraceId(id(link, "traceId", 32)?),
            span_id: span_id(link, "spanId")?,
        });
    }
    let names_parent =
        |reference: &Reference| (reference.trace_id, reference.span_id) == (trace_id, parent_id);
    if parent_id != 0 && !references.iter().any(names_parent) {
        let parent = Reference {
            kind: ReferenceKind::ChildOf,
            trace_id,
            span_id: parent_id,
        };
        references.insert(0, parent);
    }
    Ok(references)
}

fn tags(of: &Json) -> Result<Vec<Tag>> {
    list(of, "attributes")
        .iter()
        .map(|attribute| {
            let key = text(attribute, "key");
            let value = value(&attribute["value"]);
            let value = value.map_err(|value| format!("the value of {key} is {value}"))?;
            Ok(tag(key, value))
        })
        .collect()
}

fn tag(key: &str, value: Value) -> Tag {
    Tag {
        key: key.to_owned(),
        value,
    }
}

/// Parses a value of one of the types that spans have here; any other type is an error.
fn value(value: &Json) -> Result<Value> {
    let typed = value.as_object().and_then(|typed| typed.iter().next());
    let found = typed.and_then(|(kind, value)| match kind.as_str() {
        "stringValue" => value.as_str().map(Value::from),
        "boolValue" => value.as_bool().map(Value::Bool),
        "intValue" => whole(value).map(Value::Long),
        "doubleValue" => value.as_f64().map(Value::Double),
        "arrayValue" => {
            let values = list(value, "values").iter();
            let values = values.map(self::value).collect::<Result<_>>();
            values.ok().map(Value::List)
        }
        _ => None,
    });
    found.ok_or_else(|| value.to_string())
}

/// Numbers of JSON have 53 bits: longer ones are texts.
fn whole<T: std::str::FromStr>(value: &Json) -> Option<T> {
    match value {
        Json::String(text) => text.parse().ok(),
        other => other.to_string().parse().ok(),
    }
}

fn list<'a>(of: &'a Json, name: &str) -> &'a [Json] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// Parses a number; 0 if there is none.
fn count(of: &Json, name: &str) -> Result<u64> {
    match &of[name] {
        Json::Null => Ok(0),
        value => whole(value).ok_or_else(|| format!("{name} is {value}")),
    }
}

fn time(of: &Json, name: &str) -> Result<Duration> {
    count(of, name).map(Duration::from_nanos)
}

fn span_id(of: &Json, name: &str) -> Result<u64> {
    let id = id(of, name, 16)?;
    u64::try_from(id).map_err(|error| error.to_string())
}

/// Parses an id with this many hexadecimal digits.
fn id(of: &Json, name: &str, digits: usize) -> Result<u128> {
    let text = text(of, name);
    let id = u128::from_str_radix(text, 16);
    id.ok()
        .filter(|_| text.len() == digits)
        .ok_or_else(|| format!("{name} is {}", of[name]))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
