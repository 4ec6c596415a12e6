//! W3C Trace Context, level 2, and W3C Baggage, together or separately.

use super::budget::Budget;
use super::percent::{self, Decoder};
use super::short_text::ShortText;
use super::{Extraction, Field, IncomingHeaders, Outgoing, Propagator, set_unless_empty};
use crate::context::{
    Adding, Members, SpanContext, SpanId, TraceFlags, TraceId, TraceState, is_baggage_octet,
};
use crate::propagation::carrier::{Carrier, KnownHeader};
use crate::text::{TrimOws, hex_u64, hex_values};

/// W3C Trace Context level 2 (`traceparent`, `tracestate`) and W3C Baggage (`baggage`).
///
/// If there is no valid `traceparent`, or more than one, the `tracestate` is not read; a malformed `tracestate` does
/// not affect the `traceparent` (section 3.3). Baggage is read independently of both. A baggage member that breaks the
/// grammar or exceeds the limits is left out alone. A `+` in a baggage value is read as a `+` and written as `%2B`.
/// Only the two flags that level 2 defines are read and written: the format has neither debug nor a deferred decision.
///
/// [`W3cTraceContext`] and [`W3cBaggage`] are its two parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct W3c;

/// W3C Trace Context without W3C Baggage: reads and writes `traceparent` and `tracestate` as [`W3c`] does.
///
/// A `baggage` header does not belong to this format: it is neither read, written nor removed.
///
/// ```
/// use opentracing_http::propagation::{Propagation, W3cTraceContext};
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// // The trace is propagated, baggage is not.
/// let propagation = Propagation::none().read(W3cTraceContext).write(W3cTraceContext);
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).propagation(propagation).build()?;
/// # drop(tracing);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct W3cTraceContext;

/// W3C Baggage without W3C Trace Context: reads and writes `baggage` as [`W3c`] does.
///
/// Baggage alone makes no trace: without a format that has ids each service starts its own trace. If both parts are
/// added separately, the tracestate is written before the baggage; [`W3c`] writes it after the baggage, within the
/// [budget](super::Propagation::max_bytes).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct W3cBaggage;

const FIELDS: &[Field] = &[
    Field::Known(KnownHeader::Traceparent),
    Field::Known(KnownHeader::Tracestate),
    Field::Known(KnownHeader::Baggage),
];

impl Propagator for W3c {
    fn name(&self) -> &'static str {
        "w3c"
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        extract_context(headers, found);
        extract_baggage(headers, found);
    }

    fn fields(&self) -> &[Field] {
        FIELDS
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        write_traceparent(outgoing, carrier);
        write_baggage(outgoing, carrier);
        write_tracestate(outgoing, carrier);
    }
}

impl Propagator for W3cTraceContext {
    fn name(&self) -> &'static str {
        "tracecontext"
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        extract_context(headers, found);
    }

    fn fields(&self) -> &[Field] {
        FIELDS.get(..2).unwrap_or_default()
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        write_traceparent(outgoing, carrier);
        write_tracestate(outgoing, carrier);
    }
}

impl Propagator for W3cBaggage {
    fn name(&self) -> &'static str {
        "baggage"
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        extract_baggage(headers, found);
    }

    fn fields(&self) -> &[Field] {
        FIELDS.get(2..).unwrap_or_default()
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        write_baggage(outgoing, carrier);
    }
}

fn write_traceparent(outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
    if let Some(context) = outgoing.context() {
        let value = traceparent(context, context.flags().w3c_bits());
        carrier.set(KnownHeader::Traceparent.name(), value.as_str());
    }
}

fn write_baggage(outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
    if !outgoing.baggage().is_empty() {
        let value = baggage_string(outgoing);
        set_unless_empty(carrier, KnownHeader::Baggage, &value);
    }
}

fn write_tracestate(outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
    let list = outgoing.context().map(SpanContext::tracestate);
    if let Some(list) = list.filter(|list| !list.is_empty()) {
        write_list(list, outgoing, carrier);
    }
}

fn write_list(list: &TraceState, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
    let name = KnownHeader::Tracestate.name();
    let room = outgoing.room_for(name);
    let target = outgoing
        .room
        .map_or(usize::MAX, |room| room.left_beside_ids_for(name));
    if list.as_str().len() <= target {
        return carrier.set(name, list.as_str());
    }
    let (value, omitted) = list.cut(target, room);
    (0..omitted).for_each(|_| outgoing.omit());
    set_unless_empty(carrier, KnownHeader::Tracestate, &value);
}

fn extract_context(headers: &IncomingHeaders<'_>, found: &mut Extraction) {
    if found.has_context() {
        return;
    }
    let context = match headers.single(KnownHeader::Traceparent) {
        Ok(None) => return,
        Ok(Some(value)) => parse_traceparent(value.trim_ows()),
        Err(_) => None,
    };
    let Some(context) = context else {
        found.refuse();
        return;
    };
    if !headers.wants_tracestate() || !headers.contains(KnownHeader::Tracestate) {
        return found.set_context(context);
    }
    match parse_tracestate(headers) {
        Some(tracestate) => found.set_context(context.with_tracestate(tracestate)),
        None => {
            found.refuse();
            found.set_context(context);
        }
    }
}

/// Parses `version "-" trace-id "-" parent-id "-" trace-flags` (section 3.2).
fn parse_traceparent(value: &[u8]) -> Option<SpanContext> {
    let (fields, more) = value.split_first_chunk::<55>()?;
    let [v0, v1, b'-', ids @ .., b'-', f0, f1] = fields else {
        return None;
    };
    let (trace_id, [b'-', span_id @ ..]) = ids.split_first_chunk::<32>()? else {
        return None;
    };
    let (trace_high, trace_low) = trace_id.split_first_chunk::<16>()?;
    let ids = [
        hex_u64(trace_high)?,
        hex_u64(trace_low.try_into().ok()?)?,
        hex_u64(span_id.try_into().ok()?)?,
    ];
    let [trace_high, trace_low, span_id] = ids;
    let [v0, v1, f0, f1] = hex_values(&[*v0, *v1, *f0, *f1])?;
    // Later versions may add fields after a dash, and keep the first four (section 3.2.4).
    match (v0 << 4 | v1, more.first()) {
        (0xff, _) | (0, Some(_)) => return None,
        (_, Some(next)) if *next != b'-' => return None,
        _ => {}
    }
    let trace_id = TraceId::new(u128::from(trace_high) << 64 | u128::from(trace_low))?;
    let span_id = SpanId::new(span_id)?;
    let flags = TraceFlags::from_w3c_bits(f0 << 4 | f1);
    Some(SpanContext::new(trace_id, span_id, flags))
}

/// Parses all `tracestate` headers as one list; returns `None` if any of them breaks the grammar.
fn parse_tracestate(headers: &IncomingHeaders<'_>) -> Option<TraceState> {
    let (mut members, mut valid) = (Members::new(), true);
    headers.values(KnownHeader::Tracestate, &mut |value| {
        valid = valid && members.append(value);
    });
    valid.then(|| members.list())
}

/// Returns the header's value with these flags.
pub(crate) fn traceparent(context: &SpanContext, flags: u8) -> ShortText {
    let mut text = ShortText::new();
    text.push_str("00-");
    text.push_hex(context.trace_id().get(), 32);
    text.push_str("-");
    text.push_hex(context.span_id().get().into(), 16);
    text.push_str("-");
    text.push_hex(flags.into(), 2);
    text
}

fn extract_baggage(headers: &IncomingHeaders<'_>, found: &mut Extraction) {
    if !headers.wants_baggage() || !headers.contains(KnownHeader::Baggage) {
        return;
    }
    let (mut budget, mut decoder) = (Budget::new(), Decoder::default());
    let mut adding = Adding::to(found.baggage());
    headers.values(KnownHeader::Baggage, &mut |list| {
        adding.read(list);
        let members = list.split(|byte| *byte == b',').map(TrimOws::trim_ows);
        for member in members.filter(|member| !member.is_empty()) {
            if found.is_done_with_baggage() {
                break;
            }
            if !budget.take(member.len()) || !add_member(member, &mut adding, &mut decoder, found) {
                found.refuse();
            }
        }
    });
}

/// Parses `key OWS "=" OWS value *( OWS ";" OWS property )` (W3C Baggage, section 3.3.1).
fn add_member(
    member: &[u8],
    adding: &mut Adding<'_>,
    decoder: &mut Decoder,
    found: &mut Extraction,
) -> bool {
    let (pair, properties) = cut(member, b';').unwrap_or((member, &[]));
    let Some((key, value)) = cut(pair, b'=') else {
        return false;
    };
    let value = value.trim_ows();
    let (Ok(key), Ok(properties)) = (
        std::str::from_utf8(key.trim_ows()),
        std::str::from_utf8(properties),
    ) else {
        return false;
    };
    value.iter().copied().all(is_baggage_octet)
        && found.add_item(
            adding,
            key,
            |text| decoder.decode(value, text),
            |text| push_without_blanks(properties, text),
        )
}

/// Returns the text before and after the first of these bytes.
fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, from) = text.split_at(text.iter().position(|byte| *byte == at)?);
    Some((before, from.get(1..)?))
}

/// Appends the properties without the blanks and the empty elements that may be between them.
fn push_without_blanks(properties: &str, text: &mut String) {
    let mut first = true;
    for property in properties
        .split(';')
        .map(TrimOws::trim_ows)
        .filter(|text| !text.is_empty())
    {
        if !std::mem::take(&mut first) {
            text.push(';');
        }
        match property.split_once('=') {
            Some((key, value)) => {
                text.push_str(key.trim_ows());
                text.push('=');
                text.push_str(value.trim_ows());
            }
            None => text.push_str(property),
        }
    }
}

/// Returns as many whole members as fit. [`Baggage`](crate::Baggage) has checked keys, properties and number.
fn baggage_string(outgoing: &Outgoing<'_>) -> String {
    let baggage = outgoing.baggage();
    let room = outgoing.room_for(KnownHeader::Baggage.name());
    let mut budget = Budget::of(room);
    // One `=`, one comma and perhaps one semicolon for each; encoding may need more.
    let mut text = String::with_capacity(baggage.bytes() + 3 * baggage.len());
    for (key, value, properties) in baggage.iter_with_properties() {
        let before = text.len();
        if before > 0 {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        percent::encode(value, is_plain, &mut text);
        if !properties.is_empty() {
            text.push(';');
            text.push_str(properties);
        }
        if !budget.take(text.len() - before) {
            text.truncate(before);
            outgoing.omit();
        }
    }
    text
}

/// Returns `true` for a byte that is not encoded in a value. A `+` need not be, but some readers take it for a blank
/// (OpenTelemetry's propagator for Python).
fn is_plain(byte: u8) -> bool {
    is_baggage_octet(byte) && !matches!(byte, b'%' | b'+')
}
