//! Trust in callers' trace headers.

use std::fmt;
use std::sync::Arc;

use crate::http::request_view::RequestView;

/// The callers whose trace headers are trusted. All by default.
///
/// A caller that is not trusted neither determines the trace nor the sampling decision: its ids become a `FollowsFrom`
/// reference, its sampling decision and debug flag are ignored, its tracestate, baggage and debug id are not read.
///
/// ```
/// use opentracing_http::Trust;
///
/// // Internal callers have a header that the edge proxy removes from external requests.
/// let trust = Trust::when(|request| request.header("x-internal").is_some());
/// let default = Trust::everyone();
/// let public_service = Trust::nobody();
/// # let _ = (default, public_service);
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
    /// Trusts every caller. The default.
    #[must_use]
    pub const fn everyone() -> Self {
        Self(Kind::Everyone)
    }

    /// Trusts no caller.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Kind::Nobody)
    }

    /// Trusts the callers of requests for which this function returns `true`. A panic in it counts as `false`.
    pub fn when(trusted: impl Fn(&dyn RequestView) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(trusted)))
    }

    /// Returns the result if it is the same for every request.
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
