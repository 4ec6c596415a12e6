//! How a span context travels in headers: W3C, Jaeger, B3, and any format of your own.
//!
//! Strict on purpose: a header that breaks its format's grammar is no parent, never half a context, and is
//! [counted](Propagation::refusals).

mod b3;
mod budget;
mod carrier;
mod extraction;
mod field;
mod header_filter;
mod incoming;
mod jaeger;
mod names;
mod outgoing;
pub(crate) mod percent;
mod room;
mod short_text;
mod w3c;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::room::{Metered, Room};
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId};

pub use self::b3::B3;
pub use self::carrier::{Carrier, HeaderView, KnownHeader};
pub use self::extraction::Extraction;
pub use self::field::Field;
pub use self::header_filter::HeaderFilter;
pub(crate) use self::incoming::Seen;
pub use self::incoming::{Duplicate, IncomingHeaders};
pub use self::jaeger::Jaeger;
pub use self::outgoing::Outgoing;
pub use self::w3c::{W3c, W3cBaggage, W3cTraceContext};
pub use crate::context::BaggageIter;

pub(crate) use self::names::parse as parse_names;
pub(crate) use self::w3c::traceparent;

/// One format of trace headers.
///
/// Implement it for a format that this crate does not have (Datadog's, X-Ray's, a house format):
///
/// ```
/// use opentracing_http::propagation::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
/// use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
/// use opentracing_http::propagation::{Carrier, HeaderView};
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
///     fn fields(&self) -> &[Field] {
///         const FIELDS: &[Field] = &[Field::named("x-house-trace")];
///         FIELDS
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
///         if let Some(context) = outgoing.context() {
///             let value = format!("{}/{}", context.trace_id(), context.span_id());
///             carrier.set("x-house-trace", &value);
///         }
///     }
/// }
/// ```
pub trait Propagator: fmt::Debug + Send + Sync {
    /// The format's name, under which its refusals are counted.
    fn name(&self) -> &'static str;

    /// Returns every header field that the format reads or writes, families included.
    ///
    /// [`Propagation::inject`] removes them before it writes, whether this format is written or only read: headers of a
    /// caller that a proxy has copied must not reach the next service. The default is none; then what `inject` does not
    /// overwrite or remove itself is left where it stands.
    fn fields(&self) -> &[Field] {
        &[]
    }

    /// Reads what the headers say in this format.
    ///
    /// Called for every request, so it must neither panic nor block on anything a caller can send. A header that breaks
    /// the grammar is [refused](Extraction::refuse) as a whole. What is not [wanted](IncomingHeaders::wants_baggage) need
    /// not be read, and is not kept.
    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction);

    /// Writes what goes out. What stood under the format's [fields](Self::fields) has been removed.
    ///
    /// Headers beyond the [budget](Propagation::max_bytes) do not reach the carrier. So that ids go out whole or not at all,
    /// this is called twice where little is left, the first time with a carrier that keeps nothing. A format that can
    /// write less asks for [`Outgoing::room_for`].
    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier);

    /// Writes baggage that has a header of its own for each item. Called when the ids of all formats have been written, so
    /// that it is the first to be left out. The default writes nothing.
    fn inject_items(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        let _ = (outgoing, carrier);
    }
}

macro_rules! propagator_behind_a_pointer {
    ($($pointer:ident)*) => {$(
        impl<T: Propagator + ?Sized> Propagator for $pointer<T> {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn fields(&self) -> &[Field] {
                (**self).fields()
            }

            fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
                (**self).extract(headers, found);
            }

            fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
                (**self).inject(outgoing, carrier);
            }

            fn inject_items(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
                (**self).inject_items(outgoing, carrier);
            }
        }
    )*};
}

propagator_behind_a_pointer!(Box Arc);

/// Which formats are read, in what order, and which are written, and how much of it.
///
/// The default reads W3C, then Jaeger, then B3, and writes W3C and Jaeger, at most 10 KiB in 32 headers. Clones count
/// refusals and omissions together.
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
    writers: Vec<Writer>,
    /// Those of all readers and writers, each once.
    fields: Vec<Field>,
    max_bytes: usize,
    max_headers: usize,
}

#[derive(Debug, Clone)]
struct Reader {
    format: Arc<dyn Propagator>,
    refusals: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
struct Writer {
    format: Arc<dyn Propagator>,
    rank: usize,
    omissions: Arc<AtomicU64>,
}

impl Writer {
    /// Writes the format's ids, all of its headers or none.
    fn write(&self, outgoing: Outgoing<'_>, room: &Room, carrier: &mut dyn Carrier) {
        if room.is_tight() {
            let trial = room.clone();
            let mut nowhere = |_: &str, _: &str| {};
            self.inject(outgoing, &trial, &mut nowhere);
            if trial.is_overflown() {
                room.omit(trial.take_omitted());
                return self.count(room);
            }
        }
        self.inject(outgoing, room, carrier);
        self.count(room);
    }

    fn write_items(&self, outgoing: Outgoing<'_>, room: &Room, carrier: &mut dyn Carrier) {
        let mut carrier = Metered { carrier, room };
        self.format
            .inject_items(&outgoing.within(room), &mut carrier);
        self.count(room);
    }

    fn inject(&self, outgoing: Outgoing<'_>, room: &Room, carrier: &mut dyn Carrier) {
        let mut carrier = Metered { carrier, room };
        self.format.inject(&outgoing.within(room), &mut carrier);
    }

    fn count(&self, room: &Room) {
        let omitted = room.take_omitted();
        if omitted > 0 {
            self.omissions.fetch_add(omitted, Ordering::Relaxed);
        }
    }
}

/// The format's turn: W3C first, which has the widest reach, then Jaeger, then B3, then those of others.
fn rank(format: &dyn Propagator) -> usize {
    let known = [
        KnownHeader::Traceparent,
        KnownHeader::Baggage,
        KnownHeader::UberTraceId,
        KnownHeader::B3,
    ];
    let owned = |known: &KnownHeader| format.fields().contains(&Field::Known(*known));
    known.iter().position(owned).unwrap_or(known.len())
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
    /// How many bytes of headers are written by default: names, values, and four bytes for what stands round them.
    pub const MAX_BYTES: usize = 10 * 1024;
    /// How many headers are written by default.
    pub const MAX_HEADERS: usize = 32;
    /// How many bytes are kept for the ids of each other format before a tracestate has more than its 512. The largest
    /// that is known, B3 in several headers, takes 100.
    const IDS: usize = 128;

    /// Reads and writes nothing yet.
    #[must_use]
    pub fn none() -> Self {
        Self {
            readers: Vec::new(),
            writers: Vec::new(),
            fields: Vec::new(),
            max_bytes: Self::MAX_BYTES,
            max_headers: Self::MAX_HEADERS,
        }
    }

    /// Reads this format as well, after those named before.
    #[must_use]
    pub fn read(mut self, format: impl Propagator + 'static) -> Self {
        self.own(&format);
        self.readers.push(Reader {
            format: Arc::new(format),
            refusals: Arc::default(),
        });
        self
    }

    /// Writes this format as well.
    #[must_use]
    pub fn write(mut self, format: impl Propagator + 'static) -> Self {
        self.own(&format);
        let rank = rank(&format);
        let place = self.writers.partition_point(|other| other.rank <= rank);
        self.writers.insert(
            place,
            Writer {
                format: Arc::new(format),
                rank,
                omissions: Arc::default(),
            },
        );
        self
    }

    /// Sets how many bytes of headers one injection writes at most, [`MAX_BYTES`](Self::MAX_BYTES) by default: names,
    /// values, and four bytes for each header, as HTTP/1 has them.
    ///
    /// What a caller sent goes out in every format that is written, and many servers refuse a request whose headers have
    /// more than 8 or 16 KiB. So the formats share one budget, in this order:
    ///
    /// 1. `traceparent`
    /// 2. `baggage`, 8,192 bytes of it at most
    /// 3. `tracestate`: 512 bytes of it where there are as many, and more as far as the ids below keep their room
    /// 4. `uber-trace-id`, then B3, then formats of your own in the order in which they were named
    /// 5. baggage that has a header for each item (`uberctx-*`)
    ///
    /// Only whole items, members and headers are left out, and of ids all headers of a format. They are
    /// [counted](Self::omissions). Where not even the ids fit [`build`](crate::HttpTracingBuilder::build) fails.
    ///
    /// ```
    /// use opentracing_http::propagation::Propagation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let small = Propagation::default().max_bytes(4 * 1024).max_headers(16);
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).propagation(small).build()?;
    /// # drop(tracing);
    ///
    /// let nonsense = Propagation::default().max_bytes(20);
    /// let error = HttpTracing::builder(InMemoryTracer::new()).propagation(nonsense).build().unwrap_err();
    /// assert!(error.to_string().contains("20 bytes"));
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many headers one injection writes at most, [`MAX_HEADERS`](Self::MAX_HEADERS) by default; see
    /// [`max_bytes`](Self::max_bytes) for what is left out.
    #[must_use]
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.max_headers = headers;
        self
    }

    /// The same formats within another's budget.
    pub(crate) fn within_budget_of(self, other: &Self) -> Self {
        self.max_bytes(other.max_bytes)
            .max_headers(other.max_headers)
    }

    fn own(&mut self, format: &dyn Propagator) {
        for field in format.fields() {
            if !self.fields.contains(field) {
                self.fields.push(field.clone());
            }
        }
    }

    /// Reads what a caller sent. Allocates only for tracestate, baggage and a debug id.
    #[must_use]
    pub fn extract(&self, headers: &dyn HeaderView) -> Extraction {
        let mut found = Extraction::default();
        self.extract_from(&IncomingHeaders::read(headers), &mut found);
        found
    }

    /// Reads what is wanted of what a caller sent, into an extraction in which nothing was found yet.
    pub(crate) fn extract_from(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        found.want(headers.unwanted);
        for reader in &self.readers {
            reader.format.extract(headers, found);
            if std::mem::take(&mut found.refused) {
                reader.refusals.fetch_add(1, Ordering::Relaxed);
            }
        }
        found.baggage.give_back();
    }

    /// Removes every header of the formats that are read or written, then writes what goes out, in every format that is
    /// written, within the [budget](Self::max_bytes).
    ///
    /// A carrier that can only be added to keeps what it has: it must be one without headers of the formats. Allocates
    /// only for tracestate and baggage, and what the carrier needs.
    pub fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        carrier.remove_fields(&self.fields);
        let room = Room::new(self.max_bytes, self.max_headers);
        let mut others = self.writers.len();
        for writer in &self.writers {
            others = others.saturating_sub(1);
            room.keep(others.saturating_mul(Self::IDS));
            writer.write(*outgoing, &room, carrier);
        }
        if !outgoing.baggage().is_empty() {
            for writer in &self.writers {
                writer.write_items(*outgoing, &room, carrier);
            }
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

    /// Returns how many headers, baggage items and members of tracestates each format left out so far, because they went
    /// over the [budget](Self::max_bytes) or the format's own bounds, in the order of writing.
    pub fn omissions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.writers.iter().map(|writer| {
            let omissions = writer.omissions.load(Ordering::Relaxed);
            (writer.format.name(), omissions)
        })
    }

    /// What is wrong with the budget: the first format whose ids do not fit beside those of the formats before.
    pub(crate) fn fault(&self) -> Option<String> {
        let id = u64::MAX;
        let ids = TraceId::new(u128::MAX).zip(SpanId::new(id))?;
        let context = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED);
        let room = Room::new(self.max_bytes, self.max_headers);
        let mut nowhere = |_: &str, _: &str| {};
        for writer in &self.writers {
            writer.inject(Outgoing::new(&context), &room, &mut nowhere);
            if room.is_overflown() {
                return Some(format!(
                    "{} bytes and {} headers have no room for the ids of `{}`; raise `max_bytes` or `max_headers`, or write \
                     fewer formats",
                    self.max_bytes,
                    self.max_headers,
                    writer.format.name()
                ));
            }
        }
        None
    }
}

/// Writes a header that is left out when it is empty.
fn set_unless_empty(carrier: &mut dyn Carrier, header: KnownHeader, value: &str) {
    if !value.is_empty() {
        carrier.set(header.name(), value);
    }
}
