//! The layer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use opentracing_http::scope::ScopeKey;
use opentracing_http::{HttpTracing, OwnedSpan, Span};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{Filtered, LevelFilter};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{ERROR, EventLog, each_tag, kind, name, set_fields, set_special};
use crate::spans::{Kept, Spans};

/// Returns the layer with its default filter: spans and events of the level INFO and above.
///
/// For another filter, add one to [`SpanLayer::new`]. A filter that is added to this layer can only narrow it.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer())
///     .with(opentracing_tracing::layer());
/// # drop(subscriber);
/// ```
#[must_use]
pub fn layer<S>() -> Filtered<SpanLayer, LevelFilter, S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    SpanLayer::new().with_filter(LevelFilter::INFO)
}

/// A layer for a [`registry`](fn@tracing_subscriber::registry) that makes `tracing`'s spans children of the current request, and its
/// events logs.
///
/// It has no filter of its own: choose spans and events by target and level with the registry's filters for single layers, which
/// do not change what other layers get. Without any filter a request gets a child for each TRACE span of its libraries.
///
/// ```
/// use tracing_subscriber::filter::{LevelFilter, Targets};
/// use tracing_subscriber::prelude::*;
///
/// let chosen = Targets::new()
///     .with_default(LevelFilter::INFO)
///     .with_target("sqlx", LevelFilter::DEBUG) // each query, as a log of the span that made it
///     .with_target("tower_http", LevelFilter::OFF);
/// let subscriber = tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::WARN))
///     .with(opentracing_tracing::SpanLayer::new().with_filter(chosen));
/// # drop(subscriber);
/// ```
pub struct SpanLayer {
    /// The number of this layer among all layers in the process; with a span's id it identifies scopes.
    number: u64,
    roots: Option<HttpTracing>,
    has_location: bool,
    spans: Spans,
}

impl SpanLayer {
    /// Creates a layer without a filter; [`layer`] returns one with a filter. See [`SpanLayer`] for an example.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            roots: None,
            has_location: false,
            spans: Spans::new(),
        }
    }

    /// Makes spans outside of requests start traces of their own, with this policy. By default they are not recorded.
    ///
    /// Use it for background jobs. The policy's sampler decides; it can read the fields that the span has at its start. Put a
    /// filter beside it that selects the jobs, because libraries have spans outside of requests, too: a server's connections,
    /// a client's pool. A span with `parent: None` starts a trace also within a request.
    ///
    /// The layer holds the policy until the process ends, so [flush](HttpTracing::flush) it before.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    /// use opentracing_tracing::SpanLayer;
    /// use tracing_subscriber::filter::{LevelFilter, Targets};
    /// use tracing_subscriber::prelude::*;
    ///
    /// let tracer = InMemoryTracer::new();
    /// let tracing = HttpTracing::new(tracer.clone());
    /// let jobs = SpanLayer::new()
    ///     .roots(&tracing)
    ///     .with_filter(Targets::new().with_target("shop", LevelFilter::INFO));
    /// tracing::subscriber::with_default(tracing_subscriber::registry().with(jobs), || {
    ///     tracing::info_span!(target: "shop", "clean up").in_scope(|| {
    ///         tracing::info!(target: "shop", removed = 3, "done");
    ///     });
    /// });
    /// assert_eq!(tracer.finished()[0].name(), "clean up");
    /// ```
    #[must_use]
    pub fn roots(mut self, tracing: &HttpTracing) -> Self {
        self.roots = Some(tracing.clone());
        self
    }

    /// Sets whether spans have tags for the place in the code that creates them: `code.file.path`, `code.line.number` (the names
    /// of OpenTelemetry's semantic conventions) and `target`. They do not by default: the span's name usually shows it.
    ///
    /// ```
    /// use opentracing_tracing::SpanLayer;
    /// use tracing_subscriber::filter::LevelFilter;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let layer = SpanLayer::new().code_location(true).with_filter(LevelFilter::INFO);
    /// let subscriber = tracing_subscriber::registry().with(layer);
    /// # drop(subscriber);
    /// ```
    #[must_use]
    pub fn code_location(mut self, enabled: bool) -> Self {
        self.has_location = enabled;
        self
    }

    fn key(&self, id: u64) -> ScopeKey {
        ScopeKey::new(self.number, id)
    }

    /// Returns the span that a new one is a child of; the empty handle if there is none.
    fn parent<S>(&self, attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>) -> Span
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        if attributes.is_root() {
            return Span::none();
        }
        if attributes.is_contextual() {
            let current = Span::current();
            if !current.is_none() || context.current_span().id().is_none() {
                return current;
            }
        }
        // The nearest one that the filter of this layer lets through.
        let Some(nearest) = context.span(id).and_then(|span| span.parent()) else {
            return Span::none();
        };
        let nearest = nearest.id();
        // A contextual parent that is entered here would be the current span, unless its guard is held across an `.await`: then
        // the core has ended its scope, and other tasks run here. So it is used only if `tracing`'s current span is one below it,
        // which the filter leaves out and which was entered on another thread than its parent.
        if attributes.is_contextual() && context.current_span().id() == Some(&nearest) {
            return Span::none();
        }
        self.spans.get(nearest.into_u64()).unwrap_or_default()
    }

    /// Starts the span that belongs to a new one.
    fn start(&self, parent: Span, attributes: &Attributes<'_>) -> Option<Kept> {
        if parent.is_none() {
            let roots = self.roots.as_ref()?;
            let span = start_root(roots, attributes);
            return Some(self.started(span, attributes.metadata()));
        }
        let metadata = attributes.metadata();
        if parent.records_children() {
            let mut builder = parent.build_child(metadata.name());
            if let Some(kind) = kind(attributes, metadata) {
                builder = builder.kind(kind);
            }
            let span = builder.start();
            if !metadata.fields().is_empty() {
                set_fields(&span, attributes, metadata);
            }
            return Some(self.started(span, metadata));
        }
        // A recorded span whose children are not: this is within a tracer's own work. The child is not recorded, nor are the
        // spans below it, wherever they are entered.
        let is_in_tracer = parent.now().is_some();
        Some(match is_in_tracer {
            true => Kept::Own {
                span: parent.child(metadata.name()),
                left: None,
            },
            false => Kept::Passed(parent),
        })
    }

    fn started(&self, span: OwnedSpan, metadata: &Metadata<'static>) -> Kept {
        if self.has_location {
            span.set_tags((
                ("code.file.path", metadata.file()),
                ("code.line.number", metadata.line()),
                ("target", metadata.target()),
            ));
        }
        Kept::Own { span, left: None }
    }

    /// Returns the span whose log an event is.
    fn span_of_event<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Span
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        if is_of_current(event, context) {
            return Span::current();
        }
        let span = context.event_span(event);
        let span = span.and_then(|span| self.spans.get(span.id().into_u64()));
        span.unwrap_or_default()
    }

    /// Returns `true` if the span is one of this layer's, and not the request's own or one that the application started.
    fn is_own<S>(&self, span: &Span, event: &Event<'_>, context: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let id = match is_of_current(event, context) {
            true => ScopeKey::current().map(ScopeKey::id),
            false => context.event_span(event).map(|span| span.id().into_u64()),
        };
        // The id may be one of another system of spans; its span is another one then.
        let own = id.and_then(|id| self.spans.own(id));
        own.is_some_and(|own| own.is_same(span))
    }
}

/// Returns `true` if an event belongs to the core's current span: it names no parent, or `tracing`'s current span, which the filter
/// leaves out. Of any other span that the filter leaves out nothing is known: `tracing-subscriber` does not show the layer what is
/// around it, either.
fn is_of_current<S>(event: &Event<'_>, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_current = |parent: &Id| context.current_span().id() == Some(parent);
    event.is_contextual()
        || (event.parent().is_some_and(is_current) && context.event_span(event).is_none())
}

/// Starts a span that is not below another one.
fn start_root(tracing: &HttpTracing, attributes: &Attributes<'_>) -> OwnedSpan {
    let metadata = attributes.metadata();
    let mut builder = tracing.span(name(attributes, metadata));
    if attributes.is_root() {
        builder = builder.root();
    }
    if let Some(kind) = kind(attributes, metadata) {
        builder = builder.kind(kind);
    }
    let mut builder = Some(builder);
    // Before the start, so that samplers can read them.
    each_tag(attributes, &mut |key, value| {
        builder = builder.take().map(|builder| builder.tag(key, value));
    });
    let span = builder.map_or_else(
        || tracing.span(metadata.name()).start(),
        |builder| builder.start(),
    );
    set_special(&span, attributes, metadata);
    span
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = self.parent(attributes, id, &context);
        if let Some(kept) = self.start(parent, attributes) {
            self.spans.insert(id.into_u64(), kept);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = self.spans.own(id.into_u64())
            && span.is_recording()
            && let Some(metadata) = context.metadata(id)
        {
            set_fields(&span, values, metadata);
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        if let Some(span) = self.spans.own(id.into_u64())
            && let Some(other) = self.spans.get(follows.into_u64())
            && let Some(other) = other.context()
        {
            span.add_follows_from(other);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let span = self.span_of_event(event, &context);
        // Within a tracer's own work, no child would be recorded either. After the end of a span its logs are late changes, which
        // the core counts and reports.
        if !span.records_children() {
            return;
        }
        let log = EventLog::of(event);
        if log.is_of_the_core() {
            return;
        }
        if log.is_error() && self.is_own(&span, event, &context) {
            span.set_tag(ERROR, true);
        }
        span.log(log);
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        let id = id.into_u64();
        let found = self.spans.look(id, |kept| match kept {
            Kept::Own { span, .. } => ((**span).clone(), true),
            Kept::Passed(span) => (span.clone(), false),
        });
        if let Some((span, is_own)) = found
            // Usually the request's own span is current anyway.
            && (is_own || !Span::current().is_same(&span))
        {
            self.key(id).enter(span);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let id = id.into_u64();
        // The scope is not there any more if the guard was held across an `.await`.
        let left = self.key(id).leave().or_else(|| self.spans.own(id));
        if let Some(time) = left.and_then(|span| span.now()) {
            self.spans.note_left(id, time);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(kept) = self.spans.remove(id.into_u64()) {
            kept.end();
        }
    }
}

impl Default for SpanLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SpanLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanLayer")
            .field("roots", &self.roots.is_some())
            .field("code_location", &self.has_location)
            .finish_non_exhaustive()
    }
}
