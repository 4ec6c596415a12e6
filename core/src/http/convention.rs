//! The tags of a convention for the facts of a request.

use std::net::IpAddr;

use crate::http::facts::HttpFacts;
use crate::http::host::default_port;
use crate::http::late_attributes::{late_attributes, value_of};
use crate::http::outcome::Outcome;
use crate::http::request_view::Route;
use crate::http::settings::HttpSettings;
use crate::http::shown::{Shown, shown_query};
use crate::tag::{SpanKind, Tag, Value};

/// The convention that names a request's tags.
///
/// The host is the [authority](crate::RequestView::authority), else the value of the only `Host` header, if it is a
/// valid host. [Trusted proxies](crate::Forwarded) can report another scheme, host and port. Without a host `http.url`
/// is the path, and there is neither `server.address` nor `server.port`.
///
/// The URL of `OPTIONS *` is `http://shop.example:8080`, without a path (RFC 9112, section 3.3). `url.path` is then
/// `*`, as the client sent it. This differs from OpenTelemetry's convention, where it is the path of the URL.
///
/// The span of a gRPC request has, in every convention, the tags `rpc.system.name`, `rpc.method`,
/// `rpc.method_original` and `rpc.status_code` of OpenTelemetry's semantic conventions for RPC, version 1.45.0
/// (`docs/rpc/grpc.md`), in addition to those of an HTTP request. Its status decides whether it failed, and is its
/// `error.type` if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SemanticConvention {
    /// OpenTracing's semantic conventions: `http.method`, `http.url`, `http.status_code`, … The default.
    #[default]
    OpenTracing,
    /// OpenTelemetry's stable HTTP convention: `http.request.method`, `url.path`, `http.response.status_code`, …
    OpenTelemetry,
    /// Both, for a time of migration.
    Both,
}

impl SemanticConvention {
    fn open_tracing(self) -> bool {
        self != Self::OpenTelemetry
    }

    fn open_telemetry(self) -> bool {
        self != Self::OpenTracing
    }

    pub(crate) fn has_query(self) -> bool {
        self.open_telemetry()
    }

    pub(crate) fn has_user_agent(self) -> bool {
        self.open_telemetry()
    }
}

/// Returns all tags of a finished span: those of the convention, the chosen attributes, then the span's own, which
/// override the others.
///
/// `value_bytes` is the maximum number of bytes of each value.
pub(crate) fn tags(
    kind: SpanKind,
    http: Option<&HttpFacts>,
    settings: &HttpSettings,
    value_bytes: usize,
    own: &[Tag],
) -> Vec<Tag> {
    let mut tags = Tags(Vec::with_capacity(own.len() + 16));
    if let Some(kind) = kind.as_str() {
        tags.set("span.kind", kind);
    }
    if let Some(http) = http.map(HttpFacts::shown) {
        let http = &http;
        if settings.convention.open_tracing() {
            open_tracing(http, &mut tags);
        }
        if settings.convention.open_telemetry() {
            open_telemetry(http, settings, value_bytes, &mut tags);
        }
        shared(http, &mut tags);
        for (attribute, text) in http.attributes(settings) {
            tags.set(attribute.key.clone(), value_of(attribute, text));
        }
        late_attributes(*http, settings, value_bytes, |attribute, value| {
            tags.set(attribute.key.clone(), value);
        });
    }
    for tag in own {
        tags.set(tag.key.clone(), tag.value.clone());
    }
    tags.0
}

struct Tags(Vec<Tag>);

impl Tags {
    fn set(&mut self, key: impl Into<std::borrow::Cow<'static, str>>, value: impl Into<Value>) {
        let tag = Tag::new(key, value);
        match self.0.iter_mut().find(|old| old.key == tag.key) {
            Some(old) => old.value = tag.value,
            None => self.0.push(tag),
        }
    }
}

fn open_tracing(http: &Shown<'_>, tags: &mut Tags) {
    tags.set("component", http.component);
    tags.set("http.method", http.method());
    tags.set("http.url", http.url());
    if let Some(status) = http.status {
        tags.set("http.status_code", status);
    }
    match http.client.or(http.peer.map(|peer| peer.ip())) {
        Some(IpAddr::V4(address)) => tags.set("peer.ipv4", address.to_string()),
        Some(IpAddr::V6(address)) => tags.set("peer.ipv6", address.to_string()),
        None => {}
    }
    // The port is the peer's; the port of a client behind a proxy is not known.
    if let (None, Some(peer)) = (http.client, http.peer) {
        tags.set("peer.port", peer.port());
    }
    if is_failure(http) {
        tags.set("error", true);
    }
}

/// OpenTelemetry semantic conventions, "HTTP server", required and conditionally required attributes first.
fn open_telemetry(http: &Shown<'_>, settings: &HttpSettings, value_bytes: usize, tags: &mut Tags) {
    tags.set("http.request.method", http.method());
    if let Some(method) = http.other_method() {
        tags.set("http.request.method_original", method);
    }
    tags.set("url.scheme", http.scheme());
    tags.set("url.path", http.path());
    if let Some(query) = http.query() {
        tags.set("url.query", shown_query(query, settings, value_bytes));
    }
    if let Some(status) = http.status {
        tags.set("http.response.status_code", status);
    }
    if let Some(kind) = error_type(http) {
        tags.set("error.type", kind);
    }
    if let Some((address, port)) = http.server() {
        tags.set("server.address", address);
        if let Some(port) = port.or(default_port(http.scheme())) {
            tags.set("server.port", port);
        }
    }
    if let Some(version) = http.version {
        tags.set("network.protocol.version", version);
    }
    if let Some(client) = http.client.or(http.peer.map(|peer| peer.ip())) {
        tags.set("client.address", client.to_string());
    }
    if let Some(peer) = http.peer {
        tags.set("network.peer.address", peer.ip().to_string());
        tags.set("network.peer.port", peer.port());
    }
    if let Some(agent) = http.user_agent() {
        tags.set("user_agent.original", agent);
    }
}

/// Sets the tags that both conventions name alike, and those that neither has a name for.
fn shared(http: &Shown<'_>, tags: &mut Tags) {
    if let Route::Template(template) = http.route() {
        tags.set("http.route", template);
    }
    for (key, value) in http.rpc_tags() {
        tags.set(key, value);
    }
    match http.outcome {
        Some(Outcome::Completed) | None => {}
        Some(outcome) => tags.set("http.outcome", outcome.as_str()),
    }
    if let Some(head) = http.head {
        tags.set(
            "http.time_to_head_us",
            i64::try_from(head.as_micros()).unwrap_or(i64::MAX),
        );
    }
}

pub(crate) fn is_failure(http: &HttpFacts) -> bool {
    let default = |outcome: Outcome| outcome.is_failure(http.status);
    http.status_fails
        .unwrap_or_else(|| http.outcome.is_some_and(default))
        || http.grpc.failure().is_some()
}

/// Returns the status if it describes the failure, else the outcome.
pub(crate) fn error_type(http: &HttpFacts) -> Option<String> {
    let outcome = http.outcome.filter(|_| is_failure(http))?;
    Some(match (outcome, http.status) {
        (Outcome::Completed | Outcome::HandlerError, Some(status)) => match http.grpc.failure() {
            Some(grpc_status) => grpc_status.to_owned(),
            None => status.to_string(),
        },
        _ => outcome.as_str().to_owned(),
    })
}
