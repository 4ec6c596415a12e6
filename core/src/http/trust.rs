//! Whose trace headers count.

use std::fmt;
use std::sync::Arc;

use crate::http::request_view::RequestView;

/// Whose trace headers count.
///
/// A caller that is not trusted starts no trace of ours and decides nothing: its ids become a `FollowsFrom` reference, its
/// sampling decision and debug flag are ignored, its tracestate, baggage and debug id are not even read.
///
/// ```
/// use opentracing_http::Trust;
///
/// // Callers from inside, told by a header that the edge proxy removes from outside requests.
/// let trust = Trust::when(|request| request.header("x-internal").is_some());
/// # let _ = trust;
/// ```
#[derive(Clone, Default)]
pub struct Trust(Kind);

type Predicate = dyn Fn(&dyn RequestView) -> bool + Send + Sync;

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Everyone,
    Nobody,
    When(Arc<Predicate>),
}

impl Trust {
    /// Every caller's.
    #[must_use]
    pub const fn everyone() -> Self {
        Self(Kind::Everyone)
    }

    /// No caller's.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Kind::Nobody)
    }

    /// Those of requests for which this answers `true`. A panic in it counts as `false`.
    pub fn when(trusted: impl Fn(&dyn RequestView) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(trusted)))
    }

    /// The judgement, if it is the same of every request.
    pub(crate) fn fixed(&self) -> Option<bool> {
        match &self.0 {
            Kind::Everyone => Some(true),
            Kind::Nobody => Some(false),
            Kind::When(_) => None,
        }
    }

    pub(crate) fn judge(
        &self,
        view: &dyn RequestView,
        guard: impl Fn(&dyn Fn() -> bool) -> Option<bool>,
    ) -> bool {
        match &self.0 {
            Kind::Everyone => true,
            Kind::Nobody => false,
            Kind::When(trusted) => guard(&|| trusted(view)).unwrap_or(false),
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Everyone => "Trust::everyone()",
            Kind::Nobody => "Trust::nobody()",
            Kind::When(_) => "Trust::when(..)",
        })
    }
}
