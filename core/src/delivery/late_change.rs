//! Changes of spans that have ended: counted, and reported once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::delivery::diagnostics::{Diagnostic, Hook};
use crate::delivery::once::Once;
use crate::text::prefix;

/// A change of a recorded span that came after its end, so that no tracer has it.
///
/// A policy reports its first one as [`Diagnostic::LateChange`], and [counts](crate::HttpTracing::late_changes) all of them.
///
/// ```
/// use opentracing_http::{Diagnostic, HttpTracing, InMemoryTracer};
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new())
///     .on_diagnostic(|diagnostic| match diagnostic {
///         Diagnostic::LateChange(late) => eprintln!("{} of {} came too late", late.change, late.span_name),
///         other => eprintln!("tracing: {other}"),
///     })
///     .build()?;
/// let span = tracing.span("order").start();
/// let handle = (*span).clone();
/// span.finish();
/// handle.set_tag("items", 3); // prints: tag `items` of order came too late
/// assert_eq!(tracing.late_changes(), 1);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LateChange {
    /// What was to be changed: ``tag `KEY` ``, `several tags`, `a log`, `an error`, `the name`, `a reference`, ``route `ROUTE` `` or
    /// ``baggage item `KEY` ``. Keys and routes are cut to 100 bytes.
    pub change: String,
    /// The name of the span that had ended, cut to 100 bytes.
    pub span_name: String,
}

impl fmt::Display for LateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, span_name } = self;
        write!(
            f,
            "{change} was set after the span `{span_name}` had ended, so the tracer does not get it. If it belongs to a \
             response that is still being sent, let the span end with the body: `.ends(SpanEnd::Body)`. If it belongs to work \
             after the request, set it on a span of that work: `span.follower(name)`. `HttpTracing::late_changes` counts all \
             of them"
        )
    }
}

/// What a handle changes in its span.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    Tag(&'a str),
    Tags,
    Log,
    Error,
    Name,
    Route(&'a str),
    BaggageItem(&'a str),
    Reference,
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, key) = match self {
            Self::Tag(key) => ("tag", key),
            Self::Route(template) => ("route", template),
            Self::BaggageItem(key) => ("baggage item", key),
            Self::Tags => return f.write_str("several tags"),
            Self::Log => return f.write_str("a log"),
            Self::Error => return f.write_str("an error"),
            Self::Name => return f.write_str("the name"),
            Self::Reference => return f.write_str("a reference"),
        };
        write!(f, "{what} `{}`", prefix(key, TEXT_BYTES))
    }
}

/// The largest number of bytes of each text of a report.
const TEXT_BYTES: usize = 100;

impl LateChange {
    pub(crate) fn new(change: Change<'_>, span_name: &str) -> Self {
        Self {
            change: change.to_string(),
            span_name: prefix(span_name, TEXT_BYTES).to_owned(),
        }
    }
}

/// The number of late changes of one policy, and whether one was reported.
#[derive(Debug, Default)]
pub(crate) struct LateChanges {
    count: AtomicU64,
    is_reported: Once,
}

impl LateChanges {
    /// Counts a change, and reports the first one. Called without a lock, because the hook is the application's code.
    pub(crate) fn note(&self, hook: &Arc<Hook>, change: impl FnOnce() -> LateChange) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.is_reported
            .tell(hook, || Diagnostic::LateChange(change()));
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
