//! A span that is not recorded.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::context::{Extra, IdSource, RandomIds, SpanContext};
use crate::span::current;
use crate::span::policy::Policy;

/// A span that is not recorded: held by value, so that it costs no allocation.
#[derive(Clone)]
pub(crate) struct Unrecorded {
    pub(crate) policy: Arc<Policy>,
    /// What is sent on; nothing where the caller sent nothing and we do not trace.
    pub(crate) context: Option<SpanContext>,
    /// Whether this stands for an HTTP request that a framework's adapter ends.
    pub(crate) is_request: bool,
    /// Tells the handles of this span from those of another when something is changed later. The ids cannot: requests of
    /// one caller pass on the same.
    key: u64,
    /// What was changed since the start, shared by the handles that have met since.
    late: OnceLock<Arc<Late>>,
}

/// Baggage, decision and route of an unrecorded span, once a handler has changed one of them.
#[derive(Default)]
pub(crate) struct Late {
    /// What `sampling.priority` said: nothing, no, yes.
    decision: AtomicU8,
    pub(crate) extra: Mutex<Extra>,
    /// Kept for finish callbacks.
    pub(crate) route: Mutex<Option<Box<str>>>,
}

impl Late {
    pub(crate) fn decide(&self, sampled: bool) {
        self.decision
            .store(1 + u8::from(sampled), Ordering::Relaxed);
    }

    fn decision(&self) -> Option<bool> {
        match self.decision.load(Ordering::Relaxed) {
            0 => None,
            decided => Some(decided > 1),
        }
    }

    fn extra(&self) -> Extra {
        let extra = self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        extra.clone()
    }
}

impl Unrecorded {
    pub(crate) fn new(policy: Arc<Policy>, context: Option<SpanContext>, is_request: bool) -> Self {
        Self {
            policy,
            context,
            is_request,
            key: RandomIds.span_id().get(),
            late: OnceLock::new(),
        }
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Gives it baggage that belongs to no context; one that has a context has its own.
    pub(crate) fn carrying(self, extra: Option<Arc<Extra>>) -> Self {
        if let (None, Some(extra)) = (&self.context, extra) {
            let _ = self.late.set(Arc::new(Late {
                extra: Mutex::new(Arc::unwrap_or_clone(extra)),
                ..Late::default()
            }));
        }
        self
    }

    /// The changes made through this handle, or through the current one if that is the same span.
    pub(crate) fn late(&self) -> Option<Arc<Late>> {
        self.late.get().cloned().or_else(|| {
            current::with_current(|span| {
                let same = span.as_unrecorded().filter(|other| other.key == self.key)?;
                same.late.get().cloned()
            })
            .flatten()
        })
    }

    pub(crate) fn late_or_new(&self) -> Arc<Late> {
        let late = self.late().unwrap_or_else(|| {
            let extra = self.context.as_ref().and_then(SpanContext::extra);
            Arc::new(Late {
                extra: Mutex::new(extra.map(|extra| (**extra).clone()).unwrap_or_default()),
                ..Late::default()
            })
        });
        // Another thread may have been faster.
        let late = self.late.get_or_init(|| late).clone();
        current::with_current(|span| {
            if let Some(other) = span.as_unrecorded()
                && other.key == self.key
            {
                let _ = other.late.set(late.clone());
            }
        });
        late
    }

    /// What `sampling.priority` has decided since the start.
    pub(crate) fn decision(&self) -> Option<bool> {
        self.late()?.decision()
    }

    /// Baggage without a context to belong to.
    pub(crate) fn baggage_alone(&self) -> Option<Extra> {
        match self.context {
            Some(_) => None,
            None => Some(self.late()?.extra()),
        }
    }

    pub(crate) fn context(&self) -> Option<SpanContext> {
        let context = self.context.clone()?;
        Some(match self.late() {
            Some(late) => {
                let flags = context.flags();
                let flags = late
                    .decision()
                    .map_or(flags, |sampled| flags.with_sampled(sampled));
                context
                    .with_flags(flags)
                    .with_extra(Some(Arc::new(late.extra())))
            }
            None => context,
        })
    }

    /// Takes over what was changed through a copy of this handle.
    pub(crate) fn adopt(&self, copy: &Self) {
        if self.key == copy.key
            && let Some(late) = copy.late.get()
        {
            let _ = self.late.set(late.clone());
        }
    }
}
