//! How a span context travels in headers: W3C, Jaeger, B3, and any format of your own.
//!
//! Strict on purpose: a header that breaks its format's grammar is no parent, never half a context, and is
//! [counted](Propagation::refusals).

mod b3;
mod budget;
mod jaeger;
mod percent;
mod short_text;
mod w3c;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::baggage::Baggage;
use crate::carrier::{Carrier, HeaderView, KnownHeader};
use crate::context::{SpanContext, TraceFlags};

pub use self::b3::B3;
pub use self::jaeger::Jaeger;
pub use self::w3c::W3c;

/// One format of trace headers.
///
/// Implement it for a format that this crate does not have (Datadog's, X-Ray's, a house format):
///
/// ```
/// use opentracing_http::propagation::{Extraction, IncomingHeaders, Outgoing, Propagator};
/// use opentracing_http::{Carrier, HeaderView, SpanContext, SpanId, TraceFlags, TraceId};
///
/// /// `x-house-trace: <trace id>/<span id>`, always sampled.
/// #[derive(Debug)]
/// struct House;
///
/// impl Propagator for House {
///     fn name(&self) -> &'static str {
///         "house"
///     }
///
///     fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
///         let parse = |value: &[u8]| -> Option<SpanContext> {
///             let (trace, span) = std::str::from_utf8(value.trim_ascii()).ok()?.split_once('/')?;
///             let ids: (TraceId, SpanId) = (trace.parse().ok()?, span.parse().ok()?);
///             Some(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED))
///         };
///         match headers.single_named("x-house-trace") {
///             Ok(None) => {}
///             Ok(Some(value)) => match parse(value) {
///                 Some(context) => found.set_context(context),
///                 None => found.refuse(),
///             },
///             Err(_) => found.refuse(),
///         }
///     }
///
///     fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
///         match outgoing.context() {
///             Some(context) => {
///                 let value = format!("{}/{}", context.trace_id(), context.span_id());
///                 carrier.set("x-house-trace", &value);
///             }
///             None => carrier.remove("x-house-trace"),
///         }
///     }
/// }
/// ```
pub trait Propagator: fmt::Debug + Send + Sync {
    /// The format's name, under which its refusals are counted.
    fn name(&self) -> &'static str;

    /// Reads what the headers say in this format.
    ///
    /// Called for every request, so it must neither panic nor block on anything a caller can send. A header that breaks
    /// the grammar is [refused](Extraction::refuse) as a whole.
    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction);

    /// Writes what goes out, in the place of what an earlier injection left.
    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier);
}

/// What came in: every trace header, found in one pass, and the view for those that are not known here.
pub struct IncomingHeaders<'a> {
    view: &'a dyn HeaderView,
    known: [Found<'a>; KnownHeader::NAMED.len()],
    uberctx: bool,
}

/// The values of one known header, as far as one pass without an allocation can keep them.
#[derive(Clone, Copy, Default)]
struct Found<'a> {
    first: &'a [u8],
    count: usize,
}

impl<'a> IncomingHeaders<'a> {
    /// Looks through the headers once.
    #[must_use]
    pub fn read(view: &'a dyn HeaderView) -> Self {
        let mut known = [Found::default(); KnownHeader::NAMED.len()];
        let mut uberctx = false;
        view.each_known_header(&mut |header, value| match known.get_mut(header.index()) {
            Some(found) => {
                if found.count == 0 {
                    found.first = value;
                }
                found.count += 1;
            }
            None => uberctx = true,
        });
        Self {
            view,
            known,
            uberctx,
        }
    }

    /// The header's only value, untrimmed; `Err` if it stands there more than once, which no format of ids allows.
    pub fn single(&self, header: KnownHeader) -> Result<Option<&'a [u8]>, Duplicate> {
        match self.known.get(header.index()) {
            Some(Found { count: 0, .. }) | None => Ok(None),
            Some(Found { count: 1, first }) => Ok(Some(first)),
            Some(_) => Err(Duplicate(())),
        }
    }

    /// The same of a header that is not known here, whatever its name's case.
    pub fn single_named(&self, name: &str) -> Result<Option<&'a [u8]>, Duplicate> {
        let (mut value, mut count) = (None, 0);
        self.view.header_values(name, &mut |found| {
            value = Some(found);
            count += 1;
        });
        match count {
            0 | 1 => Ok(value),
            _ => Err(Duplicate(())),
        }
    }

    /// The header's first value, untrimmed.
    #[must_use]
    pub fn first(&self, header: KnownHeader) -> Option<&'a [u8]> {
        let found = self.known.get(header.index())?;
        (found.count > 0).then_some(found.first)
    }

    /// Whether the header is there at all.
    #[must_use]
    pub fn contains(&self, header: KnownHeader) -> bool {
        self.known
            .get(header.index())
            .map_or(self.uberctx, |found| found.count > 0)
    }

    /// Visits every value of a header, in order.
    pub fn values(&self, header: KnownHeader, visit: &mut dyn FnMut(&'a [u8])) {
        match self.known.get(header.index()) {
            Some(Found { count: 0, .. }) | None => {}
            Some(Found { count: 1, first }) => visit(first),
            Some(_) => self.view.header_values(header.name(), visit),
        }
    }

    /// All the headers, for those that are not known here.
    #[must_use]
    pub fn view(&self) -> &'a dyn HeaderView {
        self.view
    }
}

impl fmt::Debug for IncomingHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                KnownHeader::NAMED
                    .iter()
                    .filter(|header| self.contains(**header)),
            )
            .finish()
    }
}

/// A header that may stand in a request only once stood there more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate(());

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the header stands in the request more than once")
    }
}

impl std::error::Error for Duplicate {}

/// What the formats found in the headers of one request. The first to find a thing wins.
#[derive(Debug, Default)]
pub struct Extraction {
    context: Option<SpanContext>,
    decision: Option<TraceFlags>,
    debug_id: Option<Box<str>>,
    baggage: Baggage,
    refused: bool,
}

impl Extraction {
    /// How many bytes of a debug id are kept.
    pub const MAX_DEBUG_ID: usize = 256;

    /// The caller's span: ids, flags and tracestate, and the baggage of all formats.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        let context = self.context.clone()?;
        Some(if self.baggage.is_empty() {
            context
        } else {
            context.with_baggage(self.baggage.clone())
        })
    }

    /// Whether ids have been found.
    #[must_use]
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// The caller's decision where it came without ids (B3's `0`, `1` and `d`).
    #[must_use]
    pub fn decision(&self) -> Option<TraceFlags> {
        self.decision
    }

    /// The text of `jaeger-debug-id`.
    #[must_use]
    pub fn debug_id(&self) -> Option<&str> {
        self.debug_id.as_deref()
    }

    /// The baggage of all formats.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Sets the caller's span, unless an earlier format found one.
    pub fn set_context(&mut self, context: SpanContext) {
        self.context.get_or_insert(context);
    }

    /// Sets a decision that came without ids, unless an earlier format found one.
    pub fn set_decision(&mut self, flags: TraceFlags) {
        self.decision.get_or_insert(flags);
    }

    /// Sets the debug id, unless an earlier format found one; at most [`MAX_DEBUG_ID`](Self::MAX_DEBUG_ID) bytes of it.
    pub fn set_debug_id(&mut self, id: &str) {
        self.debug_id
            .get_or_insert_with(|| crate::value::prefix(id, Self::MAX_DEBUG_ID).into());
    }

    /// Adds a baggage item, unless an earlier format or item has its key; answers `false` where the bounds refuse it.
    pub fn add_baggage(&mut self, key: &str, value: &str, properties: &str) -> bool {
        self.baggage.get(key).is_some() || self.baggage.set_with_properties(key, value, properties)
    }

    /// Notes that a header broke this format's grammar or bounds. It is counted once a request and format.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    pub(crate) fn into_parts(
        self,
    ) -> (
        Option<SpanContext>,
        Option<TraceFlags>,
        Option<Box<str>>,
        Baggage,
    ) {
        (self.context, self.decision, self.debug_id, self.baggage)
    }
}

/// What goes out: a context, or baggage alone.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    context: Option<&'a SpanContext>,
    baggage: &'a Baggage,
}

impl<'a> Outgoing<'a> {
    /// A context with its baggage.
    #[must_use]
    pub fn new(context: &'a SpanContext) -> Self {
        Self {
            context: Some(context),
            baggage: context.baggage(),
        }
    }

    /// Baggage without a trace to belong to.
    #[must_use]
    pub fn baggage_only(baggage: &'a Baggage) -> Self {
        Self {
            context: None,
            baggage,
        }
    }

    /// The span that the receiver's becomes a child of.
    #[must_use]
    pub fn context(&self) -> Option<&'a SpanContext> {
        self.context
    }

    /// The baggage.
    #[must_use]
    pub fn baggage(&self) -> &'a Baggage {
        self.baggage
    }
}

/// Which formats are read, in what order, and which are written.
///
/// The default reads W3C, then Jaeger, then B3, and writes W3C and Jaeger. Clones count refusals together.
///
/// ```
/// use opentracing_http::propagation::{B3, Propagation, W3c};
///
/// // Reads both, prefers W3C, writes W3C only.
/// let propagation = Propagation::none().read(W3c).read(B3::single()).write(W3c);
/// # let _ = propagation;
/// ```
#[derive(Debug, Clone)]
pub struct Propagation {
    readers: Vec<Reader>,
    writers: Vec<Arc<dyn Propagator>>,
}

#[derive(Debug, Clone)]
struct Reader {
    format: Arc<dyn Propagator>,
    refusals: Arc<AtomicU64>,
}

impl Default for Propagation {
    fn default() -> Self {
        Self::none()
            .read(W3c)
            .read(Jaeger)
            .read(B3::single())
            .write(W3c)
            .write(Jaeger)
    }
}

impl Propagation {
    /// Reads and writes nothing yet.
    #[must_use]
    pub fn none() -> Self {
        Self {
            readers: Vec::new(),
            writers: Vec::new(),
        }
    }

    /// Reads this format as well, after those named before.
    #[must_use]
    pub fn read(mut self, format: impl Propagator + 'static) -> Self {
        self.readers.push(Reader {
            format: Arc::new(format),
            refusals: Arc::default(),
        });
        self
    }

    /// Writes this format as well.
    #[must_use]
    pub fn write(mut self, format: impl Propagator + 'static) -> Self {
        self.writers.push(Arc::new(format));
        self
    }

    /// Reads what a caller sent. Allocates only for tracestate, baggage and a debug id.
    #[must_use]
    pub fn extract(&self, headers: &dyn HeaderView) -> Extraction {
        let headers = IncomingHeaders::read(headers);
        let mut found = Extraction::default();
        for reader in &self.readers {
            reader.format.extract(&headers, &mut found);
            if std::mem::take(&mut found.refused) {
                reader.refusals.fetch_add(1, Ordering::Relaxed);
            }
        }
        found
    }

    /// Writes what goes out, in every format. Allocates only for tracestate and baggage, and what the carrier needs.
    pub fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        for writer in &self.writers {
            writer.inject(outgoing, carrier);
        }
    }

    /// How many requests each format refused something of, because it broke the grammar or went over the bounds, in the
    /// order of reading.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.readers.iter().map(|reader| {
            (
                reader.format.name(),
                reader.refusals.load(Ordering::Relaxed),
            )
        })
    }
}

/// Writes a header that is left out when it is empty.
fn set_or_remove(carrier: &mut dyn Carrier, header: KnownHeader, value: &str) {
    if value.is_empty() {
        carrier.remove(header.name());
    } else {
        carrier.set(header.name(), value);
    }
}
