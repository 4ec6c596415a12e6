//! A span that is not recorded.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::context::{Extra, SpanContext, TraceFlags};
use crate::current;
use crate::policy::Policy;

/// A span that is not recorded: held by value, so that it costs no allocation.
#[derive(Clone)]
pub(crate) struct Unrecorded {
    pub(crate) policy: Arc<Policy>,
    /// What is sent on; nothing where the caller sent nothing and we do not trace.
    pub(crate) context: Option<SpanContext>,
    /// Whether this stands for an HTTP request that a framework's adapter ends.
    pub(crate) is_request: bool,
    /// Tells the handles of this span from those of another when something is changed later.
    key: u64,
    /// What was changed since the start, shared by the handles that have met since.
    late: OnceLock<Arc<Late>>,
}

/// Baggage, decision and route of an unrecorded span, once a handler has changed one of them.
pub(crate) struct Late {
    pub(crate) flags: AtomicU8,
    pub(crate) extra: Mutex<Extra>,
    /// Kept for finish callbacks.
    pub(crate) route: Mutex<Option<Box<str>>>,
}

impl Unrecorded {
    pub(crate) fn new(policy: Arc<Policy>, context: Option<SpanContext>, is_request: bool) -> Self {
        let key = match &context {
            Some(context) => context.span_id().get(),
            None => policy.ids.span_id().get(),
        };
        Self {
            policy,
            context,
            is_request,
            key,
            late: OnceLock::new(),
        }
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
                flags: AtomicU8::new(self.flags().to_raw()),
                extra: Mutex::new(extra.map(|extra| (**extra).clone()).unwrap_or_default()),
                route: Mutex::default(),
            })
        });
        current::with_current(|span| {
            if let Some(other) = span.as_unrecorded()
                && other.key == self.key
            {
                let _ = other.late.set(late.clone());
            }
        });
        let _ = self.late.set(late.clone());
        late
    }

    fn flags(&self) -> TraceFlags {
        self.context
            .as_ref()
            .map(SpanContext::flags)
            .unwrap_or_default()
    }

    pub(crate) fn context(&self) -> Option<SpanContext> {
        let context = self.context.clone()?;
        Some(match self.late() {
            Some(late) => {
                let extra = late
                    .extra
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                context
                    .with_flags(TraceFlags::from_raw(late.flags.load(Ordering::Relaxed)))
                    .with_extra(Some(Arc::new(extra)))
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
