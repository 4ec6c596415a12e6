//! Decodes Jaeger's `emitBatch` message in Thrift's compact protocol, as defined in `agent.thrift` and `jaeger.thrift`
//! of jaeger-idl.

use std::error::Error;
use std::fmt;

use thrift::protocol::{
    TCompactInputProtocol, TFieldIdentifier, TInputProtocol, TMessageType, TType,
};

use crate::span::{Log, Reference, ReferenceKind, Span, Tag, TraceId, Value};

/// Why a packet is not a complete `emitBatch` message.
#[derive(Debug)]
pub struct DecodeError(String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for DecodeError {}

impl From<thrift::Error> for DecodeError {
    fn from(error: thrift::Error) -> Self {
        Self(error.to_string())
    }
}

type Result<T> = std::result::Result<T, DecodeError>;
type Input<'a> = dyn TInputProtocol + 'a;

/// Decodes one packet.
///
/// # Errors
///
/// It is stricter than a real agent: an unknown field, a missing required field, an id of 0, a span that ends before it
/// starts, and remaining bytes are errors.
pub fn decode_batch(packet: &[u8]) -> Result<Vec<Span>> {
    let mut rest = packet;
    let spans = message(&mut TCompactInputProtocol::new(&mut rest))?;
    match rest.len() {
        0 => Ok(spans),
        left => Err(DecodeError(format!("{left} bytes are left over"))),
    }
}

fn message(input: &mut Input<'_>) -> Result<Vec<Span>> {
    let message = input.read_message_begin()?;
    if message.name != "emitBatch" || message.message_type != TMessageType::OneWay {
        return Err(DecodeError(format!(
            "not a one-way emitBatch message: {message:?}"
        )));
    }
    let mut batch = None;
    structure(input, "arguments", |input, id, kind| {
        match (id, kind) {
            (1, TType::Struct) => batch = Some(read_batch(input)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    input.read_message_end()?;
    required(batch, "batch")
}

fn read_batch(input: &mut Input<'_>) -> Result<Vec<Span>> {
    let (mut process, mut spans) = (None, None);
    structure(input, "Batch", |input, id, kind| {
        match (id, kind) {
            (1, TType::Struct) => process = Some(read_process(input)?),
            (2, TType::List) => spans = Some(list(input, TType::Struct, read_span)?),
            (3, TType::I64) => drop(input.read_i64()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let (service, process_tags) = required(process, "Batch.process")?;
    let mut spans = required(spans, "Batch.spans")?;
    for span in &mut spans {
        span.service.clone_from(&service);
        span.process_tags.clone_from(&process_tags);
    }
    Ok(spans)
}

fn read_process(input: &mut Input<'_>) -> Result<(String, Vec<Tag>)> {
    let (mut service, mut tags) = (None, Vec::new());
    structure(input, "Process", |input, id, kind| {
        match (id, kind) {
            (1, TType::String) => service = Some(input.read_string()?),
            (2, TType::List) => tags = list(input, TType::Struct, read_tag)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((required(service, "Process.serviceName")?, tags))
}

/// Service and process tags of the span are set by the batch.
fn read_span(input: &mut Input<'_>) -> Result<Span> {
    let (mut low, mut high, mut id, mut parent_id, mut name) = (None, None, None, None, None);
    let (mut flags, mut start, mut duration) = (None, None, None);
    let (mut references, mut tags, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    structure(input, "Span", |input, field, kind| {
        match (field, kind) {
            (1, TType::I64) => low = Some(input.read_i64()?),
            (2, TType::I64) => high = Some(input.read_i64()?),
            (3, TType::I64) => id = Some(input.read_i64()?),
            (4, TType::I64) => parent_id = Some(input.read_i64()?),
            (5, TType::String) => name = Some(input.read_string()?),
            (6, TType::List) => references = list(input, TType::Struct, read_reference)?,
            (7, TType::I32) => flags = Some(input.read_i32()?),
            (8, TType::I64) => start = Some(input.read_i64()?),
            (9, TType::I64) => duration = Some(input.read_i64()?),
            (10, TType::List) => tags = list(input, TType::Struct, read_tag)?,
            (11, TType::List) => logs = list(input, TType::Struct, read_log)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let duration = required(duration, "Span.duration")?;
    let (trace_id, id) = (trace_id(low, high, "Span")?, required(id, "Span.spanId")?);
    if trace_id.0 == 0 || id == 0 || duration < 0 {
        return Err(DecodeError(format!(
            "a span with trace id {trace_id}, id {id:x} and duration {duration}"
        )));
    }
    Ok(Span {
        service: String::new(),
        process_tags: Vec::new(),
        trace_id,
        id: id.cast_unsigned(),
        parent_id: required(parent_id, "Span.parentSpanId")?.cast_unsigned(),
        references,
        flags: Some(required(flags, "Span.flags")?),
        name: required(name, "Span.operationName")?,
        start_micros: Some(required(start, "Span.startTime")?),
        duration_micros: Some(duration),
        tags,
        logs,
    })
}

fn read_reference(input: &mut Input<'_>) -> Result<Reference> {
    let (mut kind, mut low, mut high, mut span_id) = (None, None, None, None);
    structure(input, "SpanRef", |input, id, field| {
        match (id, field) {
            (1, TType::I32) => kind = Some(input.read_i32()?),
            (2, TType::I64) => low = Some(input.read_i64()?),
            (3, TType::I64) => high = Some(input.read_i64()?),
            (4, TType::I64) => span_id = Some(input.read_i64()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Reference {
        kind: match required(kind, "SpanRef.refType")? {
            0 => ReferenceKind::ChildOf,
            1 => ReferenceKind::FollowsFrom,
            other => return Err(DecodeError(format!("SpanRef.refType is {other}"))),
        },
        trace_id: trace_id(low, high, "SpanRef")?,
        span_id: required(span_id, "SpanRef.spanId")?.cast_unsigned(),
    })
}

fn read_log(input: &mut Input<'_>) -> Result<Log> {
    let (mut micros, mut fields) = (None, None);
    structure(input, "Log", |input, id, kind| {
        match (id, kind) {
            (1, TType::I64) => micros = Some(input.read_i64()?),
            (2, TType::List) => fields = Some(list(input, TType::Struct, read_tag)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Log {
        micros: required(micros, "Log.timestamp")?,
        fields: required(fields, "Log.fields")?,
    })
}

fn read_tag(input: &mut Input<'_>) -> Result<Tag> {
    let (mut key, mut kind, mut value) = (None, None, None);
    structure(input, "Tag", |input, id, field| {
        match (id, field) {
            (1, TType::String) => key = Some(input.read_string()?),
            (2, TType::I32) => kind = Some(input.read_i32()?),
            (3, TType::String) => value = Some(Value::Text(input.read_string()?)),
            (4, TType::Double) => value = Some(Value::Double(input.read_double()?)),
            (5, TType::Bool) => value = Some(Value::Bool(input.read_bool()?)),
            (6, TType::I64) => value = Some(Value::Long(input.read_i64()?)),
            (7, TType::String) => value = Some(Value::Binary(input.read_bytes()?)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let (key, value) = (required(key, "Tag.key")?, required(value, "Tag's value")?);
    let declared = required(kind, "Tag.vType")?;
    let actual = match &value {
        // Packets contain no lists.
        Value::List(_) => -1,
        Value::Text(_) => 0,
        Value::Double(_) => 1,
        Value::Bool(_) => 2,
        Value::Long(_) => 3,
        Value::Binary(_) => 4,
    };
    if declared != actual {
        return Err(DecodeError(format!(
            "tag {key} says type {declared} and holds {value:?}"
        )));
    }
    Ok(Tag { key, value })
}

/// Reads a struct's fields. `field` returns `true` if it knows the field, and reads it then.
fn structure(
    input: &mut Input<'_>,
    name: &str,
    mut field: impl FnMut(&mut Input<'_>, i16, TType) -> Result<bool>,
) -> Result<()> {
    input.read_struct_begin()?;
    loop {
        let TFieldIdentifier { field_type, id, .. } = input.read_field_begin()?;
        if field_type == TType::Stop {
            break;
        }
        if !field(input, id.unwrap_or_default(), field_type)? {
            return Err(DecodeError(format!(
                "{name} has no field {id:?} of type {field_type}"
            )));
        }
        input.read_field_end()?;
    }
    Ok(input.read_struct_end()?)
}

fn list<T>(
    input: &mut Input<'_>,
    element: TType,
    mut read: impl FnMut(&mut Input<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let head = input.read_list_begin()?;
    if head.size > 0 && head.element_type != element {
        return Err(DecodeError(format!(
            "a list of {}, not of {element}",
            head.element_type
        )));
    }
    let items = (0..head.size)
        .map(|_| read(input))
        .collect::<Result<Vec<T>>>()?;
    input.read_list_end()?;
    Ok(items)
}

fn trace_id(low: Option<i64>, high: Option<i64>, of: &str) -> Result<TraceId> {
    let low = required(low, &format!("{of}.traceIdLow"))?.cast_unsigned();
    let high = required(high, &format!("{of}.traceIdHigh"))?.cast_unsigned();
    Ok(TraceId(u128::from(high) << 64 | u128::from(low)))
}

fn required<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| DecodeError(format!("{name} is missing")))
}

#[cfg(test)]
mod tests {
    use super::decode_batch;

    /// An `emitBatch` of a process "s" without tags and a span "n"; comments explain the bytes.
    fn packet() -> Vec<u8> {
        let mut bytes = vec![0x82, 0x81, 0x00, 9];
        bytes.extend(b"emitBatch");
        bytes.extend([0x1c]); // 1: Batch
        bytes.extend([0x1c, 0x18, 1, b's', 0x00]); // 1: Process { 1: "s" }
        bytes.extend([0x19, 0x1c]); // 2: one struct
        bytes.extend([0x16, 0x02, 0x16, 0x04, 0x16, 0x06, 0x16, 0x00]); // ids 1, 2, 3, parent 0
        bytes.extend([0x18, 1, b'n', 0x25, 0x02]); // 5: "n", 7: flags 1
        bytes.extend([0x16, 0x14, 0x16, 0x0a, 0x00]); // 8: start 10, 9: duration 5
        bytes.extend([0x00, 0x00]); // end of Batch, of the arguments
        bytes
    }

    #[test]
    fn a_whole_packet_is_read() {
        let spans = decode_batch(&packet()).unwrap();
        let [span] = spans.as_slice() else {
            panic!("{spans:?}");
        };
        assert_eq!((span.service.as_str(), span.name.as_str()), ("s", "n"));
        assert_eq!(
            (span.trace_id.0, span.id, span.parent_id),
            ((2 << 64) | 1, 3, 0)
        );
        assert_eq!(
            (span.flags, span.start_micros, span.duration_micros),
            (Some(1), Some(10), Some(5))
        );
    }

    #[test]
    fn no_part_of_a_packet_is_a_packet() {
        let packet = packet();
        for length in 0..packet.len() {
            assert!(decode_batch(&packet[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_byte_too_many_is_an_error() {
        let mut packet = packet();
        packet.push(0);
        assert_eq!(
            decode_batch(&packet).unwrap_err().to_string(),
            "1 bytes are left over"
        );
    }
}
