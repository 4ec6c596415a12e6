//! Jaeger's own format: <https://www.jaegertracing.io/sdk-migration/#propagation-format>.

use super::budget::Budget;
use super::percent::{self, Decoder};
use super::short_text::ShortText;
use super::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use crate::context::{Adding, SpanContext, SpanId, TraceFlags, TraceId};
use crate::propagation::carrier::{Carrier, KnownHeader};
use crate::text::{TrimOws, hex_digit};

/// Jaeger's own format: `uber-trace-id`, `uberctx-*`, and the headers that people set by hand, `jaeger-baggage` and
/// `jaeger-debug-id`.
///
/// Ids with fewer than 32 and 16 digits are filled with zeros on the left; percent-encoded colons are accepted. The
/// flags are one or two hexadecimal digits, as the format's description and all reference clients write them: 1 is
/// sampled, 2 is debug; 8 (firehose) and other bits are discarded. Debug without sampled (`2`, which OpenTelemetry's
/// propagator for Python sends for traces that are not sampled) counts as sampled only if the debug flag is trusted. A
/// baggage item that cannot be decoded or exceeds the limits is discarded alone. HTTP does not keep the case of header
/// names, so keys are read and written in lower case.
///
/// The format has neither the random flag nor a deferred decision; a deferred decision is written as not sampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Jaeger;

impl Propagator for Jaeger {
    fn name(&self) -> &'static str {
        "jaeger"
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        extract_context(headers, found);
        extract_debug_id(headers, found);
        extract_baggage(headers, found);
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[
            Field::Known(KnownHeader::UberTraceId),
            Field::Known(KnownHeader::UberCtx),
            Field::Known(KnownHeader::JaegerBaggage),
            Field::Known(KnownHeader::JaegerDebugId),
        ];
        FIELDS
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        if let Some(context) = outgoing.context() {
            let value = uber_trace_id(context);
            carrier.set(KnownHeader::UberTraceId.name(), value.as_str());
        }
    }

    fn inject_items(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        write_items(outgoing, carrier);
    }
}

fn extract_context(headers: &IncomingHeaders<'_>, found: &mut Extraction) {
    if found.has_context() {
        return;
    }
    let context = match headers.single(KnownHeader::UberTraceId) {
        Ok(None) => return,
        Ok(Some(value)) => parse_uber_trace_id(value.trim_ows()),
        Err(_) => None,
    };
    match context {
        Some(context) => found.set_context(context),
        None => found.refuse(),
    }
}

/// Parses `{trace id}:{span id}:{parent's span id}:{flags}`.
fn parse_uber_trace_id(value: &[u8]) -> Option<SpanContext> {
    let (trace_id, rest) = split_colon(value)?;
    let (span_id, rest) = split_colon(rest)?;
    let (parent_id, flags) = split_colon(rest)?;
    // The parent's span id is deprecated, and zero in most headers.
    hex(parent_id, 16)?;
    let trace_id = TraceId::new(hex(trace_id, 32)?)?;
    let span_id = SpanId::new(hex(span_id, 16)? as u64)?;
    Some(SpanContext::new(trace_id, span_id, parse_flags(flags)?))
}

/// Splits at the first colon, which some clients percent-encode. They never encode hexadecimal digits.
fn split_colon(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (token, rest) = text.split_at(text.iter().position(|byte| matches!(byte, b':' | b'%'))?);
    match rest {
        [b':', rest @ ..] | [b'%', b'3', b'a' | b'A', rest @ ..] => Some((token, rest)),
        _ => None,
    }
}

/// Parses hexadecimal flags. The reference client for Go reads decimal and writes hexadecimal; the format's description
/// and the other clients use hexadecimal, and the values in use (0, 1, 3 and 9) are the same in both.
fn parse_flags(digits: &[u8]) -> Option<TraceFlags> {
    let bits = hex(digits, 2)?;
    let flags = match bits & 1 {
        0 => TraceFlags::NOT_SAMPLED,
        _ => TraceFlags::SAMPLED,
    };
    Some(match bits & 2 {
        0 => flags,
        _ => flags.with_debug(),
    })
}

/// Parses 1 to `longest` hexadecimal digits of either case: the format says "base16", and the reference clients read
/// both cases.
fn hex(digits: &[u8], longest: usize) -> Option<u128> {
    if digits.is_empty() || digits.len() > longest {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | u128::from(hex_digit(*digit)?))
    })
}

fn uber_trace_id(context: &SpanContext) -> ShortText {
    let flags = context.flags();
    let mut text = ShortText::new();
    text.push_hex(context.trace_id().get(), 32);
    text.push_str(":");
    text.push_hex(context.span_id().get().into(), 16);
    text.push_str(match (flags.is_debug(), flags.is_sampled()) {
        (true, true) => ":0:3",
        (true, false) => ":0:2",
        (false, true) => ":0:1",
        (false, false) => ":0:0",
    });
    text
}

/// The text is not decoded: people type it to find the trace, and clients differ in how they decode it.
fn extract_debug_id(headers: &IncomingHeaders<'_>, found: &mut Extraction) {
    let id = headers.first(KnownHeader::JaegerDebugId);
    let id = id
        .filter(|_| headers.wants_debug_id())
        .map(TrimOws::trim_ows);
    if let Some(Ok(id)) = id.map(std::str::from_utf8)
        && !id.is_empty()
    {
        found.set_debug_id(id);
    }
}

fn extract_baggage(headers: &IncomingHeaders<'_>, found: &mut Extraction) {
    let items = headers.contains(KnownHeader::UberCtx);
    let list = headers.contains(KnownHeader::JaegerBaggage);
    if !headers.wants_baggage() || !(items || list) {
        return;
    }
    let (mut budget, mut decoder) = (Budget::new(), Decoder::default());
    let mut adding = Adding::to(found.baggage());
    if items {
        headers.view().each_header(&mut |name, value| {
            let Some(key) = item_key(name) else {
                return;
            };
            // Another format may have set the key with its case, which is lost here.
            if found.is_done_with_baggage() || adding.has(&found.baggage, key, true) {
                return;
            }
            adding.read(value);
            let decoded = |text: &mut String| decoder.decode_form(value.trim_ows(), text);
            if !budget.take(key.len() + value.len())
                || !adding.add(&mut found.baggage, (key, true), decoded, |_| {})
            {
                found.refuse();
            }
        });
    }
    headers.values(KnownHeader::JaegerBaggage, &mut |list| {
        adding.read(list);
        let items = list.split(|byte| *byte == b',').map(TrimOws::trim_ows);
        for item in items.filter(|item| !item.is_empty()) {
            if found.is_done_with_baggage() {
                break;
            }
            if !budget.take(item.len()) || !add_pair(item, &mut adding, &mut decoder, found) {
                found.refuse();
            }
        }
    });
}

/// Returns the key of an `uberctx-` header.
fn item_key(name: &str) -> Option<&str> {
    let prefix = KnownHeader::UberCtx.name();
    let (found, key) = name.split_at_checked(prefix.len())?;
    found.eq_ignore_ascii_case(prefix).then_some(key)
}

/// Adds `key=value` of `jaeger-baggage`.
fn add_pair(
    pair: &[u8],
    adding: &mut Adding<'_>,
    decoder: &mut Decoder,
    found: &mut Extraction,
) -> bool {
    let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (key, value) = pair.split_at(equals);
    let (Ok(key), [b'=', value @ ..]) = (std::str::from_utf8(key.trim_ows()), value) else {
        return false;
    };
    // Clients write a blank as `+` or `%20`; all of them write `+` as `%2B`.
    let decoded = |text: &mut String| decoder.decode_form(value.trim_ows(), text);
    found.add_item(adding, key, decoded, |_| {})
}

fn write_items(outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
    let prefix = KnownHeader::UberCtx.name();
    let mut budget = Budget::new();
    let (mut name, mut text) = (String::new(), String::new());
    // Keys that differ only in case are one header; the first wins.
    for (key, value) in outgoing.baggage().iter_unlike_in_any_case() {
        name.clear();
        name.push_str(prefix);
        name.push_str(key);
        name.make_ascii_lowercase();
        if value.len() > outgoing.room_for(&name) {
            outgoing.omit();
            continue;
        }
        text.clear();
        percent::encode(value, is_unreserved, &mut text);
        if !budget.take(key.len() + text.len()) {
            outgoing.omit();
            continue;
        }
        carrier.set(&name, &text);
    }
}

/// Returns `true` for an unreserved character (RFC 3986, section 2.3), which no decoder changes.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
