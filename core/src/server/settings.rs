//! What a policy says of requests.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;

use crate::pattern::Pattern;
use crate::server::attribute::Attribute;
use crate::server::caller::TraceIdHeader;
use crate::server::convention::Convention;
use crate::server::forwarded::Forwarded;
use crate::server::outcome::End;
use crate::server::redaction::QueryRedaction;
use crate::server::request_end::RequestEnd;
use crate::server::trust::Trust;
use crate::server::view::{RequestView, Route};
use crate::span::Span;

pub(crate) type SkipWhen = Arc<dyn Fn(&dyn RequestView) -> bool + Send + Sync>;
pub(crate) type OnStart = Arc<dyn Fn(&Span, &dyn RequestView) + Send + Sync>;
pub(crate) type OnFinish = Arc<dyn Fn(&RequestEnd<'_>) + Send + Sync>;
pub(crate) type Naming = Arc<dyn Fn(&str, Route<'_>) -> Option<String> + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct HttpSettings {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) convention: Convention,
    pub(crate) ends: End,
    pub(crate) skip: Vec<Pattern>,
    pub(crate) skip_when: Vec<SkipWhen>,
    pub(crate) on_start: Vec<OnStart>,
    pub(crate) on_finish: Vec<OnFinish>,
    pub(crate) naming: Option<Naming>,
    pub(crate) trust: Trust,
    pub(crate) trust_debug: Option<Trust>,
    pub(crate) forwarded: Forwarded,
    pub(crate) query_redaction: QueryRedaction,
    /// Headers that are redacted beside those whose names are known.
    pub(crate) redacted_headers: Vec<HeaderName>,
    pub(crate) return_trace_id: Option<TraceIdHeader>,
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings")
            .field("attributes", &self.attributes)
            .field("convention", &self.convention)
            .field("ends", &self.ends)
            .field("skip", &self.skip)
            .field("trust", &self.trust)
            .field("trust_debug", &self.trust_debug)
            .field("forwarded", &self.forwarded)
            .field("query_redaction", &self.query_redaction)
            .field("redacted_headers", &self.redacted_headers)
            .field("return_trace_id", &self.return_trace_id)
            .finish_non_exhaustive()
    }
}
