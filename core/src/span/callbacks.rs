//! The functions of an application that a policy calls for each request.

use std::sync::Arc;

use crate::http::{RequestView, Route};
use crate::span::handle::Span;
use crate::span::request_end::RequestEnd;

/// All of them. None runs under a lock, and all of them run under the policy's guard.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    pub(crate) skip_when: Vec<SkipWhen>,
    pub(crate) on_start: Vec<OnStart>,
    pub(crate) on_finish: Vec<OnFinish>,
    pub(crate) naming: Option<Naming>,
}

/// Returns whether the request is not traced.
pub(crate) type SkipWhen = Arc<dyn Fn(&dyn RequestView) -> bool + Send + Sync>;
/// Is called with the span of a request that is recorded, when it starts.
pub(crate) type OnStart = Arc<dyn Fn(&Span, &dyn RequestView) + Send + Sync>;
/// Is called at the end of each request.
pub(crate) type OnFinish = Arc<dyn Fn(&RequestEnd<'_>) + Send + Sync>;
/// Returns the name of a request's span, from its method and route.
pub(crate) type Naming = Arc<dyn Fn(&str, Route<'_>) -> Option<String> + Send + Sync>;
