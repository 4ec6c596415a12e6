//! A format under test.

use std::collections::HashSet;
use std::sync::Arc;

use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::propagation::{
    Extraction, Field, IncomingHeaders, Outgoing, Propagation, Propagator,
};
use opentracing_http::{SpanContext, TraceFlags};

use crate::hint::Asked;

use super::table::{Found, Row, Sent, Table, Written, context};

/// A format under test: its propagator, what it carries, and its grammar as a table.
///
/// The table must have a row with a context, one that is refused and one that is written: a contract without them
/// proves nothing.
#[derive(Debug, Clone)]
pub struct Format {
    propagator: Arc<dyn Propagator>,
    pub(super) carries: Carries,
    pub(super) spelling: Option<Spelling>,
    families: Vec<&'static str>,
    /// The names of the headers that are read or written, in lower case.
    names: HashSet<String>,
    rows: Vec<Row>,
    written: Vec<Written>,
}

/// A context's ids as they stand in the headers.
pub(super) type Spelling = fn(&SpanContext) -> Vec<String>;

impl Format {
    /// Creates a format from a propagator, what it carries, and the tables of its grammar.
    ///
    /// # Panics
    ///
    /// If no row of the tables has a context, none is refused, or none is written.
    pub fn new(
        propagator: impl Propagator + 'static,
        carries: Carries,
        tables: impl IntoIterator<Item = Table>,
    ) -> Self {
        let (mut rows, mut written) = (Vec::new(), Vec::new());
        for table in tables {
            rows.extend(table.rows);
            written.extend(table.written);
        }
        assert!(
            rows.iter().any(|row| row.found.context.is_some())
                && rows.iter().any(|row| row.found.refused)
                && !written.is_empty(),
            "a table needs a row with a context, one that is refused and one that is written"
        );
        let told = rows.iter().filter(|row| row.found != Found::default());
        let read = told.flat_map(|row| &row.headers).map(|(name, _)| name);
        let names = written
            .iter()
            .flat_map(Written::names)
            .chain(read)
            .map(|name| name.to_ascii_lowercase())
            .collect();
        Self {
            propagator: Arc::new(propagator),
            names,
            carries,
            spelling: None,
            families: Vec::new(),
            rows,
            written,
        }
    }

    /// Sets how the ids are written in the headers, if that is not each in one piece, hexadecimal or decimal.
    ///
    /// Each text is one piece between separators, in either case; one changed digit makes other ids, which count as valid
    /// where all of their pieces stand in the headers.
    ///
    /// ```
    /// use opentracing_testkit::propagation::Format;
    ///
    /// /// As X-Ray has them: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8`.
    /// fn with_ids_of_x_ray(format: Format) -> Format {
    ///     format.spells(|context| {
    ///         let trace_id = context.trace_id().to_string();
    ///         let (epoch, unique) = trace_id.split_at(8);
    ///         vec![format!("1-{epoch}-{unique}"), context.span_id().to_string()]
    ///     })
    /// }
    /// # let _ = with_ids_of_x_ray;
    /// ```
    #[must_use]
    pub fn spells(mut self, spelling: fn(&SpanContext) -> Vec<String>) -> Self {
        self.spelling = Some(spelling);
        self
    }

    /// Declares that every header whose name begins with this prefix, in either case, is the format's own (Jaeger's `uberctx-`).
    #[must_use]
    pub fn family(mut self, prefix: &'static str) -> Self {
        self.families.push(prefix);
        self
    }

    /// Returns the propagator's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.propagator.name()
    }

    /// Returns the rows that are read.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns the rows that are written.
    #[must_use]
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// The propagator, to be shared with a [`Propagation`].
    pub(super) fn propagator(&self) -> impl Propagator + 'static {
        Shared(Arc::clone(&self.propagator))
    }

    /// Whether the propagator declares a header of this name as its own.
    pub(super) fn declares(&self, name: &str) -> bool {
        let mut fields = self.propagator.fields().iter();
        fields.any(|field| field.covers(name))
    }

    /// What the format finds in these headers, alone.
    pub(super) fn read(&self, headers: &dyn HeaderView) -> Found {
        let propagation = Propagation::none().read(self.propagator());
        let extraction = propagation.extract(headers);
        let refusals: u64 = propagation.refusals().map(|(_, count)| count).sum();
        assert!(
            refusals <= 1,
            "a refusal is counted once a request and format"
        );
        Found::of(&extraction, refusals == 1)
    }

    /// What the format writes alone. The budget is a policy's, which a format shares with others, and not set here.
    pub(super) fn write(&self, sent: &Sent, carrier: &mut dyn Carrier) {
        Propagation::none()
            .write(self.propagator())
            .max_bytes(usize::MAX)
            .max_headers(usize::MAX)
            .inject(&sent.outgoing(), carrier);
    }

    /// Injects by a policy that reads the format and writes none.
    pub(super) fn write_only_read(&self, context: &SpanContext, carrier: &mut dyn Carrier) {
        Propagation::none()
            .read(self.propagator())
            .inject(&Outgoing::new(context), carrier);
    }

    /// What the format writes to a carrier that keeps all headers.
    pub(super) fn headers_of(&self, sent: &Sent) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        self.write(sent, &mut |name: &str, value: &str| {
            headers.push((name.to_owned(), value.to_owned()));
        });
        headers
    }

    /// All that the table sends, besides nothing at all and every context that the table reads.
    pub(super) fn all_sent(&self) -> Vec<Sent> {
        let written = self.written.iter().map(|row| row.sent.clone());
        let read = self.rows.iter().filter_map(|row| row.found.context.clone());
        let nothing = std::iter::once(Sent::default());
        written.chain(read.map(Sent::from)).chain(nothing).collect()
    }

    /// The names of the headers that the format writes, or removes.
    pub(super) fn written_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .written
            .iter()
            .flat_map(Written::names)
            .map(|name| name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether a header of this name is the format's own: one that it reads or writes, or one of a family.
    pub(super) fn owns(&self, name: &str) -> bool {
        let mut families = self.families.iter();
        self.names.contains(&name.to_ascii_lowercase())
            || families.any(|prefix| {
                let start = name.as_bytes().get(..prefix.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
            })
    }
}

/// A propagator that more than one [`Propagation`] has.
#[derive(Debug)]
struct Shared(Arc<dyn Propagator>);

impl Propagator for Shared {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn fields(&self) -> &[Field] {
        self.0.fields()
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        self.0.extract(headers, found);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        self.0.inject(outgoing, carrier);
    }

    fn inject_items(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        self.0.inject_items(outgoing, carrier);
    }
}

/// What a format carries besides the ids. No case is skipped for what it does not: the case then asserts the fallback
/// that stands here.
#[derive(Debug, Clone, Copy)]
pub struct Carries {
    /// All 128 bits of a trace id; otherwise the right-most 64, and zeros come back before them.
    pub wide_trace_ids: bool,
    /// `None` where the decision is carried; otherwise what every context comes back with.
    pub always: Option<TraceFlags>,
    /// The debug flag; otherwise a debug context comes back sampled.
    pub debug: bool,
    /// The debug flag of a context that is not sampled; otherwise it comes back not sampled alone.
    pub debug_alone: bool,
    /// That there is no decision yet; otherwise such a context comes back not sampled.
    pub deferred: bool,
    /// W3C's random flag; otherwise it is lost.
    pub random: bool,
    /// The tracestate; otherwise it is lost.
    pub tracestate: bool,
    /// Baggage; otherwise it is lost.
    pub baggage: bool,
    /// The properties of baggage items; otherwise they are lost.
    pub properties: bool,
    /// The case of baggage keys; otherwise they come back in lower case.
    pub key_case: bool,
}

impl Carries {
    /// Ids and the decision, and nothing besides.
    pub const IDS_AND_DECISION: Self = Self {
        wide_trace_ids: true,
        always: None,
        debug: false,
        debug_alone: false,
        deferred: false,
        random: false,
        tracestate: false,
        baggage: false,
        properties: false,
        key_case: false,
    };

    /// Notes what of this the running case relies on.
    fn note(&self, sent: &Sent) {
        let context = sent.context();
        let flags = context.map_or(TraceFlags::SAMPLED, SpanContext::flags);
        let trace_id = context.map_or(0, |context| context.trace_id().get());
        let mut items = sent.baggage().iter_with_properties();
        let (mut has_items, mut has_properties, mut has_upper_case) = (false, false, false);
        items.by_ref().for_each(|(key, _, properties)| {
            has_items = true;
            has_properties |= !properties.is_empty();
            has_upper_case |= key.bytes().any(|byte| byte.is_ascii_uppercase());
        });
        for (matters, field, carried) in [
            (trace_id >> 64 != 0, "wide_trace_ids", self.wide_trace_ids),
            (flags.is_debug() && flags.is_sampled(), "debug", self.debug),
            (
                flags.is_debug() && !flags.is_sampled(),
                "debug_alone",
                self.debug_alone,
            ),
            (flags.is_deferred(), "deferred", self.deferred),
            (flags.is_random(), "random", self.random),
            (
                context.is_some_and(|context| !context.tracestate().is_empty()),
                "tracestate",
                self.tracestate,
            ),
            (has_items, "baggage", self.baggage),
            (has_properties, "properties", self.properties),
            (has_upper_case, "key_case", self.key_case),
        ] {
            if matters {
                Asked::carries(field, carried).note();
            }
        }
    }

    /// What of this comes back.
    pub(super) fn keeps(&self, sent: &Sent) -> Found {
        self.note(sent);
        let mut found = sent.context().map_or_else(Found::default, |sent| {
            let trace_id = match sent.trace_id().get() {
                id if self.wide_trace_ids => id,
                id => u128::from(id as u64),
            };
            let kept = context(trace_id, sent.span_id().get(), self.flags(sent.flags()));
            Found::from(if self.tracestate {
                kept.with_tracestate(sent.tracestate().clone())
            } else {
                kept
            })
        });
        for (key, value, properties) in sent.baggage().iter_with_properties() {
            let key = match self.key_case {
                true => key.to_owned(),
                false => key.to_ascii_lowercase(),
            };
            let known = found.baggage.iter().any(|(other, ..)| *other == key);
            if self.baggage && !known {
                let properties = if self.properties { properties } else { "" };
                found = found.with_item(&key, value, properties);
            }
        }
        found
    }

    fn flags(&self, sent: TraceFlags) -> TraceFlags {
        let kept = match self.always {
            Some(flags) => flags,
            None if sent.is_debug() && sent.is_sampled() && self.debug => TraceFlags::DEBUG,
            None if sent.is_debug() && !sent.is_sampled() && self.debug_alone => {
                TraceFlags::NOT_SAMPLED.with_debug()
            }
            None if sent.is_deferred() && self.deferred => TraceFlags::DEFERRED,
            None if sent.is_sampled() => TraceFlags::SAMPLED,
            None => TraceFlags::NOT_SAMPLED,
        };
        kept.with_random(self.random && sent.is_random())
    }
}

/// Whether a context has the ids of another.
pub(super) fn same_ids(a: &SpanContext, b: &SpanContext) -> bool {
    (a.trace_id(), a.span_id()) == (b.trace_id(), b.span_id())
}
