//! The callbacks of an application that a policy calls for its requests.

use std::sync::Arc;

use crate::http::{RequestView, Route};
use crate::span::handle::Span;
use crate::span::request_end::RequestEnd;

/// All callbacks of a policy. They are called while no lock is held, and under the policy's guard.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    pub(crate) skip_when: Vec<SkipWhen>,
    pub(crate) on_start: Vec<OnStart>,
    pub(crate) on_finish: Vec<OnFinish>,
    pub(crate) naming: Option<Naming>,
    pub(crate) failure: Option<Failure>,
}

impl Callbacks {
    /// Returns `true` if a rule is to be asked when a recorded request ends.
    pub(crate) fn decide_at_end(&self) -> bool {
        self.naming.is_some() || self.failure.is_some()
    }
}

/// Returns `true` if the request is not to be traced.
pub(crate) type SkipWhen = Arc<dyn Fn(&dyn RequestView) -> bool + Send + Sync>;
/// Called at the start of each request that is recorded, with its span.
pub(crate) type OnStart = Arc<dyn Fn(&Span, &dyn RequestView) + Send + Sync>;
/// Called at the end of each request, recorded or not.
pub(crate) type OnFinish = Arc<dyn Fn(&RequestEnd<'_>) + Send + Sync>;
/// Returns the name of a request's span for its method and route; `None` for the derived name.
pub(crate) type Naming = Arc<dyn Fn(&str, Route<'_>) -> Option<String> + Send + Sync>;
/// Returns `true` if a response to this method, by this route and with this status is a failure.
pub(crate) type Failure = Arc<dyn Fn(&str, Route<'_>, u16) -> bool + Send + Sync>;
