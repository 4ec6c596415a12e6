//! A format's grammar as data: headers, and what must be found in them; contexts, and the headers they become.

use std::fmt;

use opentracing_http::propagation::{Extraction, Outgoing};
use opentracing_http::{Baggage, SpanContext, SpanId, TraceFlags, TraceId};

/// Makes a context of two ids that are not zero; panics if they are.
#[must_use]
pub fn context(trace_id: u128, span_id: u64, flags: TraceFlags) -> SpanContext {
    match (TraceId::new(trace_id), SpanId::new(span_id)) {
        (Some(trace_id), Some(span_id)) => SpanContext::new(trace_id, span_id, flags),
        _ => panic!("an id is never zero"),
    }
}

/// The grammar of a format, valid and invalid, row by row.
///
/// ```
/// use opentracing_http::TraceFlags;
/// use opentracing_testkit::propagation::{Table, context};
///
/// let sampled = context(0xabc, 0x12, TraceFlags::SAMPLED);
/// let table = Table::new()
///     .rule("B3, single header: trace id, span id, decision")
///     .reads(&[("b3", "0000000000000abc-0000000000000012-1")], sampled.clone())
///     .refuses(&[("b3", "0000000000000abc-12-1")])
///     .writes(sampled, &[("b3", "0000000000000abc-0000000000000012-1")]);
/// # let _ = table;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Table {
    rule: &'static str,
    pub(super) rows: Vec<Row>,
    pub(super) written: Vec<Written>,
}

impl Table {
    /// Makes a table without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the rule that the rows from here on prove: the specification, its section, and its text.
    #[must_use]
    pub fn rule(mut self, rule: &'static str) -> Self {
        self.rule = rule;
        self
    }

    /// These headers must give exactly this.
    #[must_use]
    pub fn reads<V: AsRef<[u8]>>(mut self, headers: &[(&str, V)], found: impl Into<Found>) -> Self {
        let headers = headers.iter();
        self.rows.push(Row {
            rule: self.rule,
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), value.as_ref().to_owned()))
                .collect(),
            found: found.into(),
        });
        self
    }

    /// These headers must be refused, and nothing of them kept.
    #[must_use]
    pub fn refuses<V: AsRef<[u8]>>(self, headers: &[(&str, V)]) -> Self {
        self.reads(headers, Found::default().and_refused())
    }

    /// Each of these values of one header must be refused; a row for each.
    #[must_use]
    pub fn refuses_each<V: AsRef<[u8]>>(self, header: &str, values: &[V]) -> Self {
        values
            .iter()
            .fold(self, |table, value| table.refuses(&[(header, value)]))
    }

    /// Nothing is found in these headers, and nothing of them is refused.
    #[must_use]
    pub fn passes_over<V: AsRef<[u8]>>(self, headers: &[(&str, V)]) -> Self {
        self.reads(headers, Found::default())
    }

    /// A context, or baggage alone, must become exactly these headers.
    #[must_use]
    pub fn writes(self, sent: impl Into<Sent>, headers: &[(&str, &str)]) -> Self {
        self.writes_over(&[], sent, headers)
    }

    /// The same, where the carrier already has these `there`.
    #[must_use]
    pub fn writes_over(
        mut self,
        there: &[(&str, &str)],
        sent: impl Into<Sent>,
        headers: &[(&str, &str)],
    ) -> Self {
        let owned = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        self.written.push(Written {
            rule: self.rule,
            there: owned(there),
            sent: sent.into(),
            headers: owned(headers),
        });
        self
    }
}

/// Headers, and what must be found in them.
#[derive(Debug, Clone)]
pub struct Row {
    /// The rule that it proves.
    pub rule: &'static str,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What must be found.
    pub found: Found,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.rule, Lines(&self.headers))
    }
}

/// Headers, a line for each of the first.
pub(super) struct Lines<'a, V>(pub(super) &'a [(String, V)]);

impl<V: AsRef<[u8]>> fmt::Display for Lines<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (name, value) in self.0.iter().take(SHOWN) {
            let value = value.as_ref().escape_ascii().to_string();
            write!(f, "\n  {name}: {:?}", Short(&value))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// What a context, or baggage alone, becomes.
#[derive(Debug, Clone)]
pub struct Written {
    /// The rule that it proves.
    pub rule: &'static str,
    /// What the carrier has before.
    pub there: Vec<(String, String)>,
    /// What goes out.
    pub sent: Sent,
    /// All that the carrier has afterwards.
    pub headers: Vec<(String, String)>,
}

impl Written {
    /// The names of what is there before and afterwards.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.headers.iter().chain(&self.there).map(|(name, _)| name)
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.rule, self.sent)
    }
}

/// What goes out: a context with its baggage, or baggage alone, or nothing ([`Default`]).
#[derive(Debug, Clone, Default)]
pub struct Sent {
    context: Option<SpanContext>,
    baggage: Baggage,
}

impl Sent {
    /// The context, if there is one.
    #[must_use]
    pub fn context(&self) -> Option<&SpanContext> {
        self.context.as_ref()
    }

    /// The baggage.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        self.context
            .as_ref()
            .map_or(&self.baggage, SpanContext::baggage)
    }

    pub(super) fn outgoing(&self) -> Outgoing<'_> {
        match &self.context {
            Some(context) => Outgoing::new(context),
            None => Outgoing::baggage_only(&self.baggage),
        }
    }
}

impl From<SpanContext> for Sent {
    fn from(context: SpanContext) -> Self {
        Self {
            context: Some(context),
            baggage: Baggage::new(),
        }
    }
}

impl From<Baggage> for Sent {
    fn from(baggage: Baggage) -> Self {
        Self {
            context: None,
            baggage,
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sent: ")?;
        match &self.context {
            Some(context) => {
                let (trace_id, span_id) = (context.trace_id(), context.span_id());
                write!(f, "trace {trace_id}, span {span_id}, {:?}", context.flags())?;
                if !context.tracestate().is_empty() {
                    write!(f, ", tracestate {:?}", Short(context.tracestate().as_str()))?;
                }
            }
            None => f.write_str("no context")?,
        }
        match self.baggage().is_empty() {
            true => f.write_str(", no baggage"),
            false => write!(f, ", baggage {:?}", short(&items(self.baggage()))),
        }
    }
}

/// What was found in headers, or must be.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Ids, flags and tracestate; the baggage stands below.
    pub context: Option<SpanContext>,
    /// A decision that came without ids.
    pub decision: Option<TraceFlags>,
    /// A debug id.
    pub debug_id: Option<String>,
    /// Keys, values and properties, in order.
    pub baggage: Vec<(String, String, String)>,
    /// Whether anything was refused.
    pub refused: bool,
}

impl Found {
    /// A decision without ids.
    #[must_use]
    pub fn decision(flags: TraceFlags) -> Self {
        Self {
            decision: Some(flags),
            ..Self::default()
        }
    }

    /// A baggage item besides, with its properties.
    #[must_use]
    pub fn with_item(mut self, key: &str, value: &str, properties: &str) -> Self {
        self.baggage
            .push((key.to_owned(), value.to_owned(), properties.to_owned()));
        self
    }

    /// Baggage items besides, without properties.
    #[must_use]
    pub fn with_items(self, items: &[(&str, &str)]) -> Self {
        items
            .iter()
            .fold(self, |found, (key, value)| found.with_item(key, value, ""))
    }

    /// A debug id besides.
    #[must_use]
    pub fn with_debug_id(mut self, id: &str) -> Self {
        self.debug_id = Some(id.to_owned());
        self
    }

    /// Something was refused besides, and counted.
    #[must_use]
    pub fn and_refused(mut self) -> Self {
        self.refused = true;
        self
    }

    pub(super) fn of(extraction: &Extraction, refused: bool) -> Self {
        Self {
            context: extraction.context().map(|context| {
                assert_eq!(
                    context.baggage(),
                    extraction.baggage(),
                    "a context has all the baggage"
                );
                bare(&context)
            }),
            decision: extraction.decision(),
            debug_id: extraction.debug_id().map(str::to_owned),
            baggage: items(extraction.baggage()),
            refused,
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = self.context.as_ref().map(|context| {
            let ids = (context.trace_id(), context.span_id(), context.flags());
            (ids, Short(context.tracestate().as_str()))
        });
        f.debug_struct("Found")
            .field("context", &context)
            .field("decision", &self.decision)
            .field("debug_id", &self.debug_id)
            .field("baggage", &short(&self.baggage))
            .field("refused", &self.refused)
            .finish()
    }
}

impl From<SpanContext> for Found {
    fn from(context: SpanContext) -> Self {
        Self {
            baggage: items(context.baggage()),
            context: Some(bare(&context)),
            ..Self::default()
        }
    }
}

/// The context without its baggage, so that it compares as one that never had any.
fn bare(context: &SpanContext) -> SpanContext {
    SpanContext::new(context.trace_id(), context.span_id(), context.flags())
        .with_tracestate(context.tracestate().clone())
}

pub(super) fn items(baggage: &Baggage) -> Vec<(String, String, String)> {
    baggage
        .iter_with_properties()
        .map(|(key, value, more)| (key.to_owned(), value.to_owned(), more.to_owned()))
        .collect()
}

fn short(items: &[(String, String, String)]) -> Vec<(&str, Short<'_>, Short<'_>)> {
    let items = items.iter();
    items
        .map(|(key, value, more)| (key.as_str(), Short(value), Short(more)))
        .collect()
}

/// Text that is cut where it is long, so that a failure can be read.
pub(super) struct Short<'a>(pub(super) &'a str);

impl fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(200) {
            Some((at, _)) => write!(f, "{:?} and so on, {} bytes", &self.0[..at], self.0.len()),
            None => write!(f, "{:?}", self.0),
        }
    }
}
