//! What a policy says of requests: pure data.

use http::HeaderName;

use crate::pattern::Pattern;
use crate::server::attribute::Attribute;
use crate::server::caller::TraceIdHeader;
use crate::server::convention::Convention;
use crate::server::forwarded::Forwarded;
use crate::server::outcome::End;
use crate::server::redaction::QueryRedaction;
use crate::server::trust::Trust;

/// The settings of a policy that are about requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpSettings {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) convention: Convention,
    pub(crate) ends: End,
    pub(crate) skip: Vec<Pattern>,
    pub(crate) trust: Trust,
    pub(crate) trust_debug: Option<Trust>,
    pub(crate) forwarded: Forwarded,
    pub(crate) query_redaction: QueryRedaction,
    /// Headers that are redacted beside those whose names are known.
    pub(crate) redacted_headers: Vec<HeaderName>,
    pub(crate) return_trace_id: Option<TraceIdHeader>,
}
