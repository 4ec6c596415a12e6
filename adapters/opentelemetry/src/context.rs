//! Converts contexts and baggage to and from those of OpenTelemetry.

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage as TheirBaggage, BaggageExt as _};
use opentelemetry::trace as theirs;
use opentelemetry::trace::TraceContextExt as _;
use opentracing_http::{Baggage, Span, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::active_span::ActiveSpan;

/// Converts a context to OpenTelemetry's: ids, flags and tracestate.
///
/// The result is not [remote](theirs::SpanContext::is_remote). The flags of W3C Trace Context are kept (sampled and
/// random); debug and deferred are not, because OpenTelemetry does not have them, and a deferred decision becomes "not
/// sampled". A member of the tracestate that OpenTelemetry refuses (it allows `@` in fewer keys than the specification,
/// level 2) is left out. OpenTelemetry's span context has no baggage: see [`to_opentelemetry_baggage`].
///
/// ```
/// use opentracing_http::{SpanContext, TraceFlags};
/// use opentracing_opentelemetry::{from_opentelemetry, to_opentelemetry};
///
/// let context = SpanContext::new(
///     "4bf92f3577b34da6a3ce929d0e0e4736".parse()?,
///     "00f067aa0ba902b7".parse()?,
///     TraceFlags::SAMPLED,
/// );
/// let theirs = to_opentelemetry(&context);
/// assert_eq!(theirs.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(theirs.is_sampled() && !theirs.is_remote());
/// assert_eq!(from_opentelemetry(&theirs), Some(context));
/// # Ok::<(), opentracing_http::error::ParseIdError>(())
/// ```
#[must_use]
pub fn to_opentelemetry(context: &SpanContext) -> theirs::SpanContext {
    theirs::SpanContext::new(
        context.trace_id().get().into(),
        context.span_id().get().into(),
        theirs::TraceFlags::new(context.flags().w3c_bits()),
        false,
        to_tracestate(context.tracestate()),
    )
}

fn to_tracestate(ours: &TraceState) -> theirs::TraceState {
    if ours.is_empty() {
        return theirs::TraceState::NONE;
    }
    let members = || {
        ours.as_str()
            .split(',')
            .filter_map(|member| member.split_once('='))
    };
    theirs::TraceState::from_key_value(members()).unwrap_or_else(|_| {
        let is_valid = |member| theirs::TraceState::from_key_value([member]).is_ok();
        let members = members().filter(|member| is_valid(*member));
        theirs::TraceState::from_key_value(members).unwrap_or_default()
    })
}

/// Converts a context of OpenTelemetry: ids, the flags sampled and random, tracestate. See [`to_opentelemetry`] for an
/// example.
///
/// Returns `None` if the trace id or the span id is zero. A tracestate that breaks the grammar of W3C Trace Context
/// (level 2, section 3.3) is discarded as a whole, as the specification requires.
#[must_use]
pub fn from_opentelemetry(context: &theirs::SpanContext) -> Option<SpanContext> {
    let ours = SpanContext::new(
        TraceId::new(u128::from_be_bytes(context.trace_id().to_bytes()))?,
        SpanId::new(u64::from_be_bytes(context.span_id().to_bytes()))?,
        TraceFlags::from_w3c_bits(context.trace_flags().to_u8()),
    );
    let tracestate = context.trace_state();
    if tracestate == &theirs::TraceState::NONE {
        return Some(ours);
    }
    let tracestate = TraceState::parse([tracestate.header().as_bytes()]);
    Some(ours.with_tracestate(tracestate.unwrap_or_default()))
}

/// Converts baggage to OpenTelemetry's, with properties as metadata. The order is lost, because OpenTelemetry's baggage
/// has none.
///
/// ```
/// use opentracing_http::Baggage;
/// use opentracing_opentelemetry::{from_opentelemetry_baggage, to_opentelemetry_baggage};
///
/// let mut baggage = Baggage::new();
/// baggage.set("tenant", "blue");
/// let theirs = to_opentelemetry_baggage(&baggage);
/// assert_eq!(theirs.get("tenant").map(|value| value.as_str()), Some("blue"));
/// assert_eq!(from_opentelemetry_baggage(&theirs), baggage);
/// ```
#[must_use]
pub fn to_opentelemetry_baggage(baggage: &Baggage) -> TheirBaggage {
    let mut converted = TheirBaggage::new();
    add_baggage(&mut converted, baggage);
    converted
}

fn add_baggage(theirs: &mut TheirBaggage, ours: &Baggage) {
    for (key, value, properties) in ours.iter_with_properties() {
        theirs.insert_with_metadata(key.to_owned(), value.to_owned(), properties);
    }
}

/// Converts OpenTelemetry's baggage, in the order of its keys; see [`to_opentelemetry_baggage`] for an example.
///
/// Metadata that is not a list of properties is left out. A pair that no header can carry (the key is not a token, or
/// it exceeds the [limits](Baggage)) is left out as a whole.
#[must_use]
pub fn from_opentelemetry_baggage(baggage: &TheirBaggage) -> Baggage {
    let mut converted = Baggage::new();
    let mut pairs: Vec<_> = baggage.iter().collect();
    pairs.sort_unstable_by_key(|(key, _)| key.as_str());
    for (key, (value, metadata)) in pairs {
        let (key, value) = (key.as_str(), value.as_str());
        let properties = metadata.as_str().trim_start_matches(';');
        if !converted.set_with_properties(key, value, properties) {
            converted.set(key, value);
        }
    }
    converted
}

/// Creates a [`Context`] in which the span is active: the current [`Context`] with this span, and with the span's
/// baggage if it has any.
///
/// It is for code that passes a [`Context`] on explicitly. If [`OpenTelemetryScopes`](crate::OpenTelemetryScopes) is
/// installed, `Context::current()` is such a context within every scope of the span, except for the baggage.
///
/// Calls of OpenTelemetry's API on the active span (attributes, events, status, name) apply to the given span as long
/// as it is recorded. For a span without a context (the empty handle, or a request that is not traced and brought no
/// context) the result is the current [`Context`].
///
/// ```
/// use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
/// use opentracing_opentelemetry::to_context;
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let span = tracing.span("checkout").start();
/// let context = to_context(&span);
///
/// // A span of OpenTelemetry's SDK as a child.
/// let tracer = SdkTracerProvider::default().tracer("database");
/// let query = tracer.start_with_context("query", &context);
/// let trace_id = context.span().span_context().trace_id();
/// assert_eq!(query.span_context().trace_id(), trace_id);
/// ```
#[must_use]
pub fn to_context(span: &Span) -> Context {
    match span.context() {
        Some(ours) => {
            let context = Context::map_current(|current| with_span(current, span, &ours));
            with_baggage(context, ours.baggage())
        }
        None => Context::current(),
    }
}

/// Returns the context with this span as the active one; `context` is what the span propagates.
pub(crate) fn with_span(outer: &Context, span: &Span, context: &SpanContext) -> Context {
    let theirs = to_opentelemetry(context);
    match span.is_recording() {
        true => outer.with_span(ActiveSpan::new(theirs, span.clone())),
        false => outer.with_remote_span_context(theirs),
    }
}

/// Returns the context with this baggage in addition to its own.
pub(crate) fn with_baggage(context: Context, baggage: &Baggage) -> Context {
    if baggage.is_empty() {
        return context;
    }
    let pairs = context.baggage().iter();
    let mut all: TheirBaggage = pairs
        .map(|(key, (value, metadata))| (key.clone(), (value.clone(), metadata.clone())))
        .collect();
    add_baggage(&mut all, baggage);
    context.with_baggage(all)
}

/// Returns the context that the active span of a [`Context`] propagates, with the baggage of the [`Context`]; `None` if
/// there is no valid active span.
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
/// use opentracing_opentelemetry::from_context;
///
/// let provider = SdkTracerProvider::default();
/// let theirs = Context::new().with_span(provider.tracer("app").start("job"));
///
/// // A span of this library as a child.
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let mut span = tracing.span("part");
/// if let Some(parent) = from_context(&theirs) {
///     span = span.child_of(parent);
/// }
/// let span = span.start();
/// let trace_id = theirs.span().span_context().trace_id();
/// assert_eq!(span.context().unwrap().trace_id().to_string(), trace_id.to_string());
/// ```
#[must_use]
pub fn from_context(context: &Context) -> Option<SpanContext> {
    let ours = from_opentelemetry(context.span().span_context())?;
    let baggage = context.baggage();
    match baggage.is_empty() {
        true => Some(ours),
        false => Some(ours.with_baggage(from_opentelemetry_baggage(baggage))),
    }
}
