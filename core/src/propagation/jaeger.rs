//! Jaeger's own format: <https://www.jaegertracing.io/sdk-migration/#propagation-format>.

use super::budget::Budget;
use super::percent::{self, Decoder};
use super::short_text::ShortText;
use super::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use crate::context::{Adding, SpanContext, SpanId, TraceFlags, TraceId};
use crate::propagation::carrier::{Carrier, KnownHeader};
use crate::text::{TrimOws, hex_digit};

/// Jaeger's own format: `uber-trace-id`, `uberctx-*`, and from people's hands `jaeger-baggage` and `jaeger-debug-id`.
///
/// Ids shorter than 32 and 16 digits are filled with zeros on the left; percent-encoded colons are read. The flags are
/// one or two hexadecimal digits, as the format's description and all reference clients write them: 1 is sampled, 2 is
/// debug, 8 (firehose) and the rest are neither kept nor passed on. Debug without sampled (`2`, which OpenTelemetry's
/// propagator for Python sends for traces that are not sampled) counts as sampled only where the debug flag is trusted.
/// A baggage item that cannot be read or goes over the bounds is left out alone; keys lose their case in HTTP, and are
/// read and written in lower case.
///
/// The random bit and a deferred decision are not known here; the latter is written as not sampled.
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

/// `{trace id}:{span id}:{parent's span id}:{flags}`.
fn parse_uber_trace_id(value: &[u8]) -> Option<SpanContext> {
    let (trace_id, rest) = split_colon(value)?;
    let (span_id, rest) = split_colon(rest)?;
    let (parent_id, flags) = split_colon(rest)?;
    // The parent's span id is out of use, and zero in most.
    hex(parent_id, 16)?;
    let trace_id = TraceId::new(hex(trace_id, 32)?)?;
    let span_id = SpanId::new(hex(span_id, 16)? as u64)?;
    Some(SpanContext::new(trace_id, span_id, parse_flags(flags)?))
}

/// Splits at the first colon, which some clients percent-encode. Hexadecimal digits never are.
fn split_colon(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (token, rest) = text.split_at(text.iter().position(|byte| matches!(byte, b':' | b'%'))?);
    match rest {
        [b':', rest @ ..] | [b'%', b'3', b'a' | b'A', rest @ ..] => Some((token, rest)),
        _ => None,
    }
}

/// Hexadecimal in spite of the reference client for Go, which reads decimal and writes hexadecimal: the format is
/// described as hexadecimal, the other clients read it so, and for the values in use (0, 1, 3 and 9) it is the same.
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

/// 1 to `longest` hexadecimal digits of either case: the format says "base16", and the reference clients read both.
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

/// Taken as it stands, not decoded: people type it to find the trace by it, and clients do not agree on a decoding.
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
            // Another format may have brought it with its case, which HTTP takes away here.
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

/// The key of an `uberctx-` header.
fn item_key(name: &str) -> Option<&str> {
    let prefix = KnownHeader::UberCtx.name();
    let (found, key) = name.split_at_checked(prefix.len())?;
    found.eq_ignore_ascii_case(prefix).then_some(key)
}

/// `key=value` of `jaeger-baggage`.
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
    // Keys that differ in case alone are one header; as everywhere, the first wins.
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

/// RFC 3986, section 2.3: what every decoder leaves as it is.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
