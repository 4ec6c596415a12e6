//! Where a policy tells of trouble that no caller waits for.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::delivery::drops::Drops;
use crate::guard::{Panics, guard};

/// Something that an operator should know, told to the policy's
/// [diagnostics hook](crate::HttpTracingBuilder::on_diagnostic).
///
/// It shows as one line of text. More kinds may be added.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Diagnostic {
    /// The tracer loses spans. A [`Reporter`](crate::report::Reporter) tells of its first loss at once, and of later ones at
    /// most once a minute.
    SpansLost(SpansLost),
}

/// Which spans a tracer has lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpansLost {
    /// All spans that this tracer has lost so far, by reason.
    pub drops: Drops,
    /// The exporter's last error that lost spans, as it shows.
    pub cause: Option<String>,
}

impl SpansLost {
    /// Tells of all spans that a tracer has lost so far.
    #[must_use]
    pub const fn new(drops: Drops) -> Self {
        Self { drops, cause: None }
    }

    /// Adds the last error that lost spans.
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

/// A policy's diagnostics, as its tracer [receives](crate::Tracer::attach) them. Cloning is cheap.
///
/// It does not keep the policy alive: once that is gone, there is nobody to tell.
#[derive(Clone)]
pub struct Diagnostics {
    hook: Weak<Hook>,
}

impl Diagnostics {
    /// Calls the policy's hook, on this thread. Call it without holding a lock: the hook is the application's code.
    ///
    /// A panic in the hook is caught and [counted](crate::HttpTracing::caught_panics). What a hook itself causes on its
    /// thread is not told: a hook that ends spans or writes logs does not call itself.
    pub fn tell(&self, diagnostic: &Diagnostic) {
        let Some(_telling) = Telling::begin() else {
            return;
        };
        // The hook is dropped in here as well if its policy has ended meanwhile.
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

/// The hook, which its policy owns.
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

    /// Writes to the application's logger, if it has one.
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
    static IS_TELLING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, a hook runs on this thread.
struct Telling;

impl Telling {
    fn begin() -> Option<Self> {
        // A thread that is ending tells nothing either.
        let is_telling = IS_TELLING.try_with(|is_telling| is_telling.replace(true));
        (!is_telling.unwrap_or(true)).then_some(Self)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = IS_TELLING.try_with(|is_telling| is_telling.set(false));
    }
}

/// Whether this thread runs a hook, or cannot run one.
pub(crate) fn is_telling() -> bool {
    IS_TELLING.try_with(Cell::get).unwrap_or(true)
}
