//! A policy's settings for requests, as plain data.

use http::{HeaderName, header};

use crate::http::attribute::Attribute;
use crate::http::convention::SemanticConvention;
use crate::http::forwarded::Forwarded;
use crate::http::method::KnownMethods;
use crate::http::outcome::SpanEnd;
use crate::http::pattern::Pattern;
use crate::http::redaction::QueryRedaction;
use crate::http::trace_id_header::TraceIdHeader;
use crate::http::trust::Trust;
use crate::propagation::HeaderFilter;

/// The settings of a policy for requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpSettings {
    pub(crate) attributes: Vec<Attribute>,
    /// Whether one of the attributes is read from a response header.
    pub(crate) has_response_headers: bool,
    pub(crate) convention: SemanticConvention,
    pub(crate) ends: SpanEnd,
    pub(crate) skip: Vec<Pattern>,
    pub(crate) trust: Trust,
    pub(crate) trust_debug: Option<Trust>,
    pub(crate) forwarded: Forwarded,
    /// The scheme of requests that have none.
    pub(crate) scheme: Option<&'static str>,
    pub(crate) query_redaction: QueryRedaction,
    /// Headers that are redacted besides those that are known.
    pub(crate) redacted_headers: Vec<HeaderName>,
    pub(crate) return_trace_id: Option<TraceIdHeader>,
    pub(crate) known_methods: KnownMethods,
    /// Whether the error log shows the messages of panics.
    pub(crate) records_panic_messages: bool,
}

impl HttpSettings {
    /// Returns a filter for the request headers that are read.
    pub(crate) fn wanted_headers(&self) -> HeaderFilter {
        let always = HeaderFilter::PROPAGATION
            .with(header::HOST.as_str())
            .with(header::CONTENT_TYPE.as_str());
        let wanted = match self.convention.has_user_agent() {
            true => always.with(header::USER_AGENT.as_str()),
            false => always,
        };
        with_headers_of(wanted, &self.attributes)
    }
}

/// Adds the headers that these attributes are read from.
pub(crate) fn with_headers_of(wanted: HeaderFilter, attributes: &[Attribute]) -> HeaderFilter {
    let headers = attributes.iter().filter_map(Attribute::request_header);
    headers.fold(wanted, |wanted, name| wanted.with(name.as_str()))
}
