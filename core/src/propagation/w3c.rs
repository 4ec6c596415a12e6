//! W3C Trace Context, level 2, and W3C Baggage.

use std::fmt::Write as _;

use super::budget::Budget;
use super::short_text::ShortText;
use super::{Extraction, IncomingHeaders, Outgoing, Propagator, percent, set_or_remove};
use crate::baggage::{Baggage, is_baggage_octet};
use crate::carrier::{Carrier, KnownHeader};
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId, hex};
use crate::tracestate::{TraceState, TrimOws};

/// W3C Trace Context level 2 (`traceparent`, `tracestate`) and W3C Baggage (`baggage`).
///
/// A refused `traceparent`, or two of them, forbids reading the `tracestate`; a refused `tracestate` leaves the
/// `traceparent` in force. Baggage is read without either. A baggage member that breaks the grammar or goes over the
/// bounds is left out alone. Of the flags only the two that level 2 defines are read and written: debug and a deferred
/// decision are not known here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct W3c;

impl Propagator for W3c {
    fn name(&self) -> &'static str {
        "w3c"
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        extract_context(headers, found);
        extract_baggage(headers, found);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        match outgoing.context() {
            Some(context) => {
                carrier.set(
                    KnownHeader::Traceparent.name(),
                    traceparent(context).as_str(),
                );
                set_or_remove(
                    carrier,
                    KnownHeader::Tracestate,
                    context.tracestate().as_str(),
                );
            }
            None => {
                carrier.remove(KnownHeader::Traceparent.name());
                carrier.remove(KnownHeader::Tracestate.name());
            }
        }
        set_or_remove(
            carrier,
            KnownHeader::Baggage,
            &baggage_string(outgoing.baggage()),
        );
    }
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
    match parse_tracestate(headers) {
        Some(tracestate) => found.set_context(context.with_tracestate(tracestate)),
        None => {
            found.refuse();
            found.set_context(context);
        }
    }
}

/// Section 3.2: `version "-" trace-id "-" parent-id "-" trace-flags`.
fn parse_traceparent(value: &[u8]) -> Option<SpanContext> {
    let (fields, more) = value.split_first_chunk::<55>()?;
    if [fields[2], fields[35], fields[52]] != *b"---" {
        return None;
    }
    // Later versions may add fields behind a dash, and keep the first four (section 3.2.4).
    match (hex(&fields[..2])?, more.first()) {
        (0xff, _) | (0, Some(_)) => return None,
        (_, Some(next)) if *next != b'-' => return None,
        _ => {}
    }
    let trace_id = TraceId::new(hex(&fields[3..35])?)?;
    let span_id = SpanId::new(hex(&fields[36..52])? as u64)?;
    let flags = TraceFlags::from_w3c_bits(hex(&fields[53..])? as u8);
    Some(SpanContext::new(trace_id, span_id, flags))
}

/// All `tracestate` headers as one list; `None` if any of them breaks the grammar.
fn parse_tracestate(headers: &IncomingHeaders<'_>) -> Option<TraceState> {
    let (mut list, mut seen, mut valid) = (TraceState::default(), 0, true);
    headers.values(KnownHeader::Tracestate, &mut |value| {
        valid = valid && list.append(value, &mut seen);
    });
    valid.then_some(list)
}

fn traceparent(context: &SpanContext) -> ShortText {
    let mut text = ShortText::new();
    text.push_str("00-");
    text.push_hex(context.trace_id().get(), 32);
    text.push_str("-");
    text.push_hex(context.span_id().get().into(), 16);
    text.push_str("-");
    text.push_hex(context.flags().w3c_bits().into(), 2);
    text
}

fn extract_baggage(headers: &IncomingHeaders<'_>, found: &mut Extraction) {
    let mut budget = Budget::new();
    headers.values(KnownHeader::Baggage, &mut |list| {
        let members = list.split(|byte| *byte == b',').map(TrimOws::trim_ows);
        for member in members.filter(|member| !member.is_empty()) {
            if !budget.take(member.len()) || !add_member(member, found) {
                found.refuse();
            }
        }
    });
}

/// W3C Baggage, section 3.3.1: `key OWS "=" OWS value *( OWS ";" OWS property )`.
fn add_member(member: &[u8], found: &mut Extraction) -> bool {
    let Ok(member) = std::str::from_utf8(member) else {
        return false;
    };
    let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
    let Some((key, value)) = pair.split_once('=') else {
        return false;
    };
    let value = value.trim_ows().as_bytes();
    value.iter().copied().all(is_baggage_octet)
        && found.add_baggage(
            key.trim_ows(),
            &percent::decode(value),
            &without_blanks(properties),
        )
}

/// The properties without the blanks and the empty places that may stand between them.
fn without_blanks(properties: &str) -> String {
    let mut text = String::new();
    for property in properties
        .split(';')
        .map(TrimOws::trim_ows)
        .filter(|text| !text.is_empty())
    {
        if !text.is_empty() {
            text.push(';');
        }
        match property.split_once('=') {
            Some((key, value)) => {
                let _ = write!(text, "{}={}", key.trim_ows(), value.trim_ows());
            }
            None => text.push_str(property),
        }
    }
    text
}

/// The members that fit, whole ones only. [`Baggage`] has made sure of their keys, properties and number.
fn baggage_string(baggage: &Baggage) -> String {
    let mut budget = Budget::new();
    let mut text = String::new();
    for (key, value, properties) in baggage.iter_with_properties() {
        let before = text.len();
        if before > 0 {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        percent::encode(
            value,
            |byte| is_baggage_octet(byte) && byte != b'%',
            &mut text,
        );
        if !properties.is_empty() {
            text.push(';');
            text.push_str(properties);
        }
        if !budget.take(text.len() - before) {
            text.truncate(before);
        }
    }
    text
}
