//! Propagation: span contexts in headers of W3C, Jaeger, B3, or your own format.
//!
//! Parsing is strict: a header that breaks its format's grammar is ignored as a whole, never used in part, and
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

/// A format of trace headers.
///
/// Implement it for a format that this crate does not have (Datadog's, X-Ray's, your own):
///
/// ```
/// use opentracing_http::propagation::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
/// use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
/// use opentracing_http::propagation::{Carrier, HeaderView};
///
/// /// `x-acme-trace: <trace id>/<span id>`, always sampled.
/// #[derive(Debug)]
/// struct Acme;
///
/// impl Propagator for Acme {
///     fn name(&self) -> &'static str {
///         "acme"
///     }
///
///     fn fields(&self) -> &[Field] {
///         const FIELDS: &[Field] = &[Field::named("x-acme-trace")];
///         FIELDS
///     }
///
///     fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
///         let parse = |value: &[u8]| -> Option<SpanContext> {
///             let (trace, span) = std::str::from_utf8(value.trim_ascii()).ok()?.split_once('/')?;
///             let ids: (TraceId, SpanId) = (trace.parse().ok()?, span.parse().ok()?);
///             Some(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED))
///         };
///         match headers.single_named("x-acme-trace") {
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
///             carrier.set("x-acme-trace", &value);
///         }
///     }
/// }
/// ```
pub trait Propagator: fmt::Debug + Send + Sync {
    /// Returns the format's name, which refusals and omissions are counted by.
    fn name(&self) -> &'static str;

    /// Returns every header field that the format reads or writes, including families of fields.
    ///
    /// [`Propagation::inject`] removes them before it writes, also those of a format that is only read: a caller's
    /// headers that a proxy has copied must not reach the next service. The default is none; then `inject` must
    /// overwrite or remove such headers itself.
    fn fields(&self) -> &[Field] {
        &[]
    }

    /// Reads this format's headers into `found`.
    ///
    /// It is called for every request, so it must neither panic nor block, whatever a caller sends. A header that
    /// breaks the grammar is [refused](Extraction::refuse) as a whole. Parts that are not
    /// [wanted](IncomingHeaders::wants_baggage) need not be read, and are not stored.
    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction);

    /// Writes the context into `carrier`. Headers of the format's [fields](Self::fields) have been removed before.
    ///
    /// Headers that exceed the [budget](Propagation::max_bytes) do not reach the carrier. Ids are written completely or
    /// not at all: if little room is left, this is called twice, the first time with a carrier that discards
    /// everything. A format that can write less checks [`Outgoing::room_for`].
    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier);

    /// Writes baggage that has one header for each item. It is called after all formats have written their ids, so that
    /// baggage is the first to be left out. The default writes nothing. See [`Outgoing`] for an example.
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

/// The formats that are read and written, their order, and the limits of what is written.
///
/// The default reads W3C, then Jaeger, then B3, and writes W3C and Jaeger, at most 10 KiB in 32 headers. Clones share
/// their counts of refusals and omissions.
///
/// ```
/// use opentracing_http::propagation::{B3, Propagation, W3c};
///
/// // Reads both, prefers W3C, writes W3C only.
/// let propagation = Propagation::none().read(W3c).read(B3::single()).write(W3c);
///
/// // A policy does this for requests; here by hand.
/// use opentracing_http::propagation::Outgoing;
///
/// let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
/// let context = Propagation::default().extract(&headers).context().expect("a valid header");
/// let mut sent = http::HeaderMap::new();
/// Propagation::default().inject(&Outgoing::new(&context), &mut sent);
/// assert!(sent.contains_key("uber-trace-id"));
/// # let _ = propagation;
/// ```
#[derive(Debug, Clone)]
pub struct Propagation {
    readers: Vec<Reader>,
    writers: Vec<Writer>,
    /// The fields of all readers and writers, each once.
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

/// Returns the order in which formats write: W3C first, which most services read, then Jaeger, then B3, then others.
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
    /// Default limit of the bytes of headers that are written: names, values, and four bytes for the separators of each
    /// header.
    pub const MAX_BYTES: usize = 10 * 1024;
    /// Default limit of the number of headers that are written.
    pub const MAX_HEADERS: usize = 32;
    /// How many bytes are reserved for the ids of each other format before a tracestate gets more than 512. The largest
    /// known ids, B3 in several headers, take 100.
    const IDS: usize = 128;

    /// Creates a value that reads and writes no format.
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

    /// Adds a format to read, after those added before.
    #[must_use]
    pub fn read(mut self, format: impl Propagator + 'static) -> Self {
        self.own(&format);
        self.readers.push(Reader {
            format: Arc::new(format),
            refusals: Arc::default(),
        });
        self
    }

    /// Adds a format to write.
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

    /// Sets the maximum number of bytes of headers that one injection writes: names, values, and four bytes for each
    /// header, as in HTTP/1. [`MAX_BYTES`](Self::MAX_BYTES) by default.
    ///
    /// A caller's context is written in every format, and many servers refuse a request whose headers exceed 8 or 16
    /// KiB. So the formats share one budget, in this order:
    ///
    /// 1. `traceparent`
    /// 2. `baggage`, at most 8,192 bytes of it
    /// 3. `tracestate`: 512 bytes of it if it has as many, and more if the ids below keep their room
    /// 4. `uber-trace-id`, then B3, then your own formats in the order in which they were added
    /// 5. baggage with one header for each item (`uberctx-*`)
    ///
    /// Only whole items, members and headers are left out; of ids all headers of a format. They are
    /// [counted](Self::omissions). If not even the ids fit, [`build`](crate::HttpTracingBuilder::build) returns an
    /// error.
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

    /// Sets the maximum number of headers that one injection writes, [`MAX_HEADERS`](Self::MAX_HEADERS) by default; see
    /// [`max_bytes`](Self::max_bytes) for the order, and for an example.
    #[must_use]
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.max_headers = headers;
        self
    }

    /// Returns the same formats with the budget of another value.
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

    /// Reads a caller's headers. Allocates only for tracestate, baggage and a debug id.
    #[must_use]
    pub fn extract(&self, headers: &dyn HeaderView) -> Extraction {
        let mut found = Extraction::default();
        self.extract_from(&IncomingHeaders::read(headers), &mut found);
        found
    }

    /// Reads the wanted parts of a caller's headers into an empty extraction.
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

    /// Removes every header of the formats that are read or written. Then writes the context in every format that is
    /// written, within the [budget](Self::max_bytes).
    ///
    /// A carrier that can only be added to must not contain headers of the formats. Allocates only for tracestate,
    /// baggage and the carrier.
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

    /// Returns each format's name, and the number of requests of which it refused a header that broke its grammar or
    /// limits, in the order of reading.
    ///
    /// ```
    /// use opentracing_http::propagation::Propagation;
    ///
    /// let propagation = Propagation::default();
    /// propagation.extract(&[("traceparent", "00-1")]);
    /// assert_eq!(propagation.refusals().next(), Some(("w3c", 1)));
    /// assert!(propagation.omissions().all(|(_, count)| count == 0));
    /// ```
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.readers.iter().map(|reader| {
            (
                reader.format.name(),
                reader.refusals.load(Ordering::Relaxed),
            )
        })
    }

    /// Returns each format's name, and the number of headers, baggage items and tracestate members that it did not
    /// write because they exceeded the [budget](Self::max_bytes) or the format's own limits, in the order of writing.
    pub fn omissions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.writers.iter().map(|writer| {
            let omissions = writer.omissions.load(Ordering::Relaxed);
            (writer.format.name(), omissions)
        })
    }

    /// Returns what is wrong with the budget: the first format whose ids do not fit after those of the formats before
    /// it.
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

/// Sets a header unless its value is empty.
fn set_unless_empty(carrier: &mut dyn Carrier, header: KnownHeader, value: &str) {
    if !value.is_empty() {
        carrier.set(header.name(), value);
    }
}
