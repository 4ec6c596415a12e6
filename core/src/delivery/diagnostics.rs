//! Diagnostics: reports of trouble for which no caller waits.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::delivery::drops::Drops;
use crate::delivery::late_change::LateChange;
use crate::delivery::nested_policies::NestedPolicies;
use crate::guard::{Panics, guard};

/// A report for the operator, sent to the policy's [diagnostics hook](crate::HttpTracingBuilder::on_diagnostic).
///
/// `Display` writes it as one line of text. More kinds may be added.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Diagnostic {
    /// The tracer loses spans. A [`Reporter`](crate::report::Reporter) reports its first loss at once, and later losses
    /// at most once a minute.
    SpansLost(SpansLost),
    /// A span was changed after its end. Reported once for each policy.
    LateChange(LateChange),
    /// A mount point is within a mount point of another policy. Reported once for each inner policy.
    NestedPolicies(NestedPolicies),
    /// The policy needs the address of the connection's peer, but a request had none: for the attribute
    /// [`remote_addr`](crate::Attribute::REMOTE_ADDR), for [`Forwarded::networks`](crate::Forwarded::networks), or for a
    /// function of [`Trust::when`](crate::Trust::when) that asks for it. A policy reports it once, if its adapter knows a
    /// [remedy](crate::server::Instrumentation::with_peer_remedy).
    #[non_exhaustive]
    PeerUnknown {
        /// The framework's name.
        component: &'static str,
        /// What the service has to change.
        remedy: &'static str,
    },
    /// A request reached its mount point before a router of the framework had seen it, and its response came while the route
    /// was still unknown. The spans of such requests are named after the method alone. A policy reports it once, for a
    /// successful response whose method is not `OPTIONS` and whose span was given no name, if its adapter
    /// [notices it](crate::server::RequestSpan::expect_route).
    #[non_exhaustive]
    RouteUnknown {
        /// The framework's name.
        component: &'static str,
        /// What the service has to change.
        remedy: &'static str,
    },
}

/// The spans that a tracer has lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpansLost {
    /// Number of spans that the tracer has lost so far, by reason.
    pub drops: Drops,
    /// The text of the exporter's last error that lost spans.
    pub cause: Option<String>,
}

impl SpansLost {
    /// Creates a report of all spans that a tracer has lost so far; see [`Diagnostics`](crate::report::Diagnostics) for
    /// an example.
    #[must_use]
    pub const fn new(drops: Drops) -> Self {
        Self { drops, cause: None }
    }

    /// Sets the text of the last error that lost spans; none by default. See
    /// [`Diagnostics`](crate::report::Diagnostics) for an example.
    #[must_use]
    pub fn with_cause(mut self, cause: Option<impl Into<String>>) -> Self {
        self.cause = cause.map(Into::into);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpansLost(lost) => lost.fmt(f),
            Self::LateChange(late) => late.fmt(f),
            Self::NestedPolicies(nested) => nested.fmt(f),
            Self::PeerUnknown { component, remedy } => write!(
                f,
                "the policy needs the peer's address, but {component} reports none: {remedy}"
            ),
            Self::RouteUnknown { component, remedy } => {
                write!(
                    f,
                    "{component} has not reported a request's route: {remedy}"
                )
            }
        }
    }
}

impl fmt::Display for SpansLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spans lost so far: {}", self.drops)?;
        match &self.cause {
            Some(cause) => write!(f, "; the last error: {cause}"),
            None => Ok(()),
        }
    }
}

/// A handle to a policy's diagnostics hook, which its tracer [receives](crate::Tracer::attach). Cloning is cheap.
///
/// It does not keep the policy alive. After the end of the policy it does nothing.
///
/// ```
/// use std::sync::Mutex;
///
/// use opentracing_http::report::{Diagnostics, Drops};
/// use opentracing_http::{Diagnostic, FinishedSpan, HttpTracing, SpansLost, Tracer};
///
/// /// A tracer without a backend: it loses all spans, and reports that.
/// #[derive(Default)]
/// struct Lost {
///     diagnostics: Mutex<Option<Diagnostics>>,
/// }
///
/// impl Tracer for Lost {
///     fn attach(&self, diagnostics: &Diagnostics) {
///         *self.diagnostics.lock().unwrap() = Some(diagnostics.clone());
///     }
///
///     fn report(&self, _: FinishedSpan) {
///         let diagnostics = self.diagnostics.lock().unwrap().clone(); // the lock ends here
///         let lost = SpansLost::new(Drops::default()).with_cause(Some("no backend"));
///         if let Some(diagnostics) = diagnostics {
///             diagnostics.tell(&Diagnostic::SpansLost(lost));
///         }
///     }
/// }
///
/// let tracing = HttpTracing::builder(Lost::default())
///     .on_diagnostic(|diagnostic| eprintln!("{diagnostic}"))
///     .build()?;
/// tracing.span("work").start().finish();
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Diagnostics {
    hook: Weak<Hook>,
}

impl Diagnostics {
    /// Calls the policy's hook on this thread. Call it without holding a lock: the hook is the application's code.
    ///
    /// A panic in the hook is caught and [counted](crate::HttpTracing::caught_panics). Reports that the hook itself
    /// causes on its thread are ignored, so that a hook that ends spans or writes logs does not call itself.
    pub fn tell(&self, diagnostic: &Diagnostic) {
        let Some(_reporting) = Reporting::begin() else {
            return;
        };
        // If the policy has ended meanwhile, the hook is dropped within the guard, too.
        guard(|| {
            if let Some(hook) = self.hook.upgrade() {
                hook.call(diagnostic);
            }
        });
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.hook.strong_count() == 0
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.hook.ptr_eq(&other.hook)
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnostics").finish_non_exhaustive()
    }
}

/// The hook, owned by its policy.
pub(crate) struct Hook {
    call: Box<dyn Fn(&Diagnostic) + Send + Sync>,
    panics: Panics,
}

impl Hook {
    pub(crate) fn new(call: impl Fn(&Diagnostic) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            call: Box::new(call),
            panics: Panics::default(),
        })
    }

    /// Creates the default hook, which writes to the `log` crate.
    pub(crate) fn log() -> Arc<Self> {
        Self::new(|diagnostic| ::log::warn!(target: "opentracing_http", "{diagnostic}"))
    }

    pub(crate) fn handle(self: &Arc<Self>) -> Diagnostics {
        Diagnostics {
            hook: Arc::downgrade(self),
        }
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.count()
    }

    fn call(&self, diagnostic: &Diagnostic) {
        self.panics.guard(|| (self.call)(diagnostic));
    }
}

thread_local! {
    static IS_REPORTING: Cell<bool> = const { Cell::new(false) };
}

/// While this value lives, a hook runs on this thread.
struct Reporting;

impl Reporting {
    fn begin() -> Option<Self> {
        // Returns `None` also on a thread that is ending.
        let is_reporting = IS_REPORTING.try_with(|is_reporting| is_reporting.replace(true));
        (!is_reporting.unwrap_or(true)).then_some(Self)
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let _ = IS_REPORTING.try_with(|is_reporting| is_reporting.set(false));
    }
}

/// Returns `true` if this thread runs a hook, or cannot run one because it is ending.
pub(crate) fn is_reporting() -> bool {
    IS_REPORTING.try_with(Cell::get).unwrap_or(true)
}
