//! B3, Zipkin's format: <https://github.com/openzipkin/b3-propagation>.

use super::short_text::ShortText;
use super::{Duplicate, Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId};
use crate::propagation::carrier::{Carrier, KnownHeader};
use crate::text::{TrimOws, hex};

/// B3, Zipkin's format, in a single header or in several headers.
///
/// Both forms are read, whichever is written. The single header wins; if it breaks the grammar, it is counted as
/// refused and the other headers are tried, as Zipkin's own library Brave does. A decision without ids (`b3: 0`,
/// `X-B3-Sampled: 0`) becomes a [decision](Extraction::decision); ids without a decision are
/// [deferred](TraceFlags::DEFERRED).
///
/// Hexadecimal digits are lower case, as the specification requires. A 64-bit trace id becomes a 128-bit one with zeros
/// on the left, and is written with 16 digits again because some senders can read only those. The parent's span id is
/// checked and never written: a span here is always a child, it never shares the id of the caller's span. Writing both
/// forms writes the headers of both.
///
/// ```
/// use opentracing_http::propagation::{B3, Propagation};
///
/// // Writes `b3` and the `X-B3-*` headers.
/// let propagation = Propagation::none().read(B3::single()).write(B3::single()).write(B3::multi());
/// # let _ = propagation;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct B3 {
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Single,
    Multi,
}

impl B3 {
    /// Creates the form that writes one header, `b3`.
    #[must_use]
    pub const fn single() -> Self {
        Self {
            encoding: Encoding::Single,
        }
    }

    /// Creates the form that writes the headers `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled` and `X-B3-Flags`.
    #[must_use]
    pub const fn multi() -> Self {
        Self {
            encoding: Encoding::Multi,
        }
    }
}

impl Propagator for B3 {
    fn name(&self) -> &'static str {
        "b3"
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        if found.has_context() {
            return;
        }
        for read in [read_single, read_multi] {
            match read(headers) {
                Ok(None) => {}
                Ok(Some(Sent::Context(context))) => return found.set_context(context),
                Ok(Some(Sent::Decision(flags))) => return found.set_decision(flags),
                Err(Malformed) => found.refuse(),
            }
        }
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[
            Field::Known(KnownHeader::B3),
            Field::Known(KnownHeader::B3TraceId),
            Field::Known(KnownHeader::B3SpanId),
            Field::Known(KnownHeader::B3ParentSpanId),
            Field::Known(KnownHeader::B3Sampled),
            Field::Known(KnownHeader::B3Flags),
        ];
        FIELDS
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        if let Some(context) = outgoing.context() {
            match self.encoding {
                Encoding::Single => write_single(context, carrier),
                Encoding::Multi => write_multi(context, carrier),
            }
        }
    }
}

/// What one form of the headers contains.
enum Sent {
    Context(SpanContext),
    Decision(TraceFlags),
}

struct Malformed;

impl From<Duplicate> for Malformed {
    fn from(_: Duplicate) -> Self {
        Self
    }
}

fn read_single(headers: &IncomingHeaders<'_>) -> Result<Option<Sent>, Malformed> {
    match headers.single(KnownHeader::B3)? {
        None => Ok(None),
        Some(value) => parse_single(value.trim_ows()).map(Some).ok_or(Malformed),
    }
}

/// Parses `{trace id}-{span id}[-{decision}][-{parent's span id}]`, or a decision alone.
fn parse_single(value: &[u8]) -> Option<Sent> {
    if let Some(flags) = decision(value) {
        return Some(Sent::Decision(flags));
    }
    let mut fields = value.split(|byte| *byte == b'-');
    let trace_id = trace_id(fields.next()?)?;
    let span_id = span_id(fields.next()?)?;
    let (flags, parent) = match fields.next() {
        None => (TraceFlags::DEFERRED, None),
        Some(field) => match decision(field) {
            Some(flags) => (flags, fields.next()),
            None => (TraceFlags::DEFERRED, Some(field)),
        },
    };
    let valid = parent.is_none_or(is_parent_id) && fields.next().is_none();
    valid.then(|| Sent::Context(SpanContext::new(trace_id, span_id, flags)))
}

fn read_multi(headers: &IncomingHeaders<'_>) -> Result<Option<Sent>, Malformed> {
    let trace = headers.single(KnownHeader::B3TraceId)?;
    let span = headers.single(KnownHeader::B3SpanId)?;
    let flags = multi_flags(headers)?;
    let (trace, span) = match (trace, span) {
        (Some(trace), Some(span)) => (trace.trim_ows(), span.trim_ows()),
        (None, None) => return Ok(flags.map(Sent::Decision)),
        _ => return Err(Malformed),
    };
    let parent = headers.single(KnownHeader::B3ParentSpanId)?;
    if !parent.is_none_or(|parent| is_parent_id(parent.trim_ows())) {
        return Err(Malformed);
    }
    let trace_id = trace_id(trace).ok_or(Malformed)?;
    let span_id = span_id(span).ok_or(Malformed)?;
    let flags = flags.unwrap_or(TraceFlags::DEFERRED);
    Ok(Some(Sent::Context(SpanContext::new(
        trace_id, span_id, flags,
    ))))
}

/// Reads the decision of `X-B3-Flags` and `X-B3-Sampled`; the first of several values wins, as the specification
/// requires.
fn multi_flags(headers: &IncomingHeaders<'_>) -> Result<Option<TraceFlags>, Malformed> {
    // Any other value means no debug flag; it is not an error.
    if headers.first(KnownHeader::B3Flags).map(TrimOws::trim_ows) == Some(b"1") {
        return Ok(Some(TraceFlags::DEBUG));
    }
    let Some(sampled) = headers.first(KnownHeader::B3Sampled).map(TrimOws::trim_ows) else {
        return Ok(None);
    };
    // Tracers from before the specification send words.
    if sampled == b"1" || sampled.eq_ignore_ascii_case(b"true") {
        Ok(Some(TraceFlags::SAMPLED))
    } else if sampled == b"0" || sampled.eq_ignore_ascii_case(b"false") {
        Ok(Some(TraceFlags::NOT_SAMPLED))
    } else {
        Err(Malformed)
    }
}

fn decision(field: &[u8]) -> Option<TraceFlags> {
    match field {
        b"0" => Some(TraceFlags::NOT_SAMPLED),
        b"1" => Some(TraceFlags::SAMPLED),
        b"d" => Some(TraceFlags::DEBUG),
        _ => None,
    }
}

fn trace_id(digits: &[u8]) -> Option<TraceId> {
    matches!(digits.len(), 16 | 32)
        .then(|| hex(digits))
        .flatten()
        .and_then(TraceId::new)
}

fn span_id(digits: &[u8]) -> Option<SpanId> {
    (digits.len() == 16)
        .then(|| hex(digits))
        .flatten()
        .and_then(|id| SpanId::new(id as u64))
}

/// Zeros are accepted, because some tracers write them for a root's parent, and the value is not used.
fn is_parent_id(digits: &[u8]) -> bool {
    digits.len() == 16 && hex(digits).is_some()
}

fn write_single(context: &SpanContext, carrier: &mut dyn Carrier) {
    let mut text = ShortText::new();
    push_trace_id(&mut text, context.trace_id());
    text.push_str("-");
    text.push_hex(context.span_id().get().into(), 16);
    if let Some(decision) = decision_text(context.flags()) {
        text.push_str("-");
        text.push_str(decision);
    }
    carrier.set(KnownHeader::B3.name(), text.as_str());
}

fn write_multi(context: &SpanContext, carrier: &mut dyn Carrier) {
    let (mut trace_id, mut span_id) = (ShortText::new(), ShortText::new());
    push_trace_id(&mut trace_id, context.trace_id());
    span_id.push_hex(context.span_id().get().into(), 16);
    carrier.set(KnownHeader::B3TraceId.name(), trace_id.as_str());
    carrier.set(KnownHeader::B3SpanId.name(), span_id.as_str());
    match decision_text(context.flags()) {
        // Debug implies sampled, which is then not sent.
        Some(DEBUG) => carrier.set(KnownHeader::B3Flags.name(), "1"),
        Some(decision) => carrier.set(KnownHeader::B3Sampled.name(), decision),
        None => {}
    }
}

fn push_trace_id(text: &mut ShortText, id: TraceId) {
    let digits = if id.get() >> 64 == 0 { 16 } else { 32 };
    text.push_hex(id.get(), digits);
}

const DEBUG: &str = "d";

/// Returns the decision as the single header writes it; `None` if it is deferred.
fn decision_text(flags: TraceFlags) -> Option<&'static str> {
    match flags {
        // Debug without sampled exists only in Jaeger's format; B3's debug flag would make the trace a sampled one.
        _ if flags.is_debug() && flags.is_sampled() => Some(DEBUG),
        _ if flags.is_deferred() => None,
        _ if flags.is_sampled() => Some("1"),
        _ => Some("0"),
    }
}
