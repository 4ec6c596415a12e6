//! Facts that a policy needs and a framework does not report: each is a diagnostic, once for a policy.

use crate::delivery::Diagnostic;
use crate::http::RequestView;
use crate::span::{Policy, Span};

/// Reports that a request has no peer, if the policy needs one. `remedy` is the adapter's; without one nothing is reported.
#[cold]
pub(super) fn report_peer(
    policy: &Policy,
    view: &dyn RequestView,
    component: &'static str,
    remedy: Option<&'static str>,
) {
    let reported = &policy.reported.peer;
    if let Some(remedy) = remedy
        && !policy.is_disabled
        && !reported.is_told()
        && view.peer().is_none()
    {
        let diagnostic = || Diagnostic::PeerUnknown { component, remedy };
        reported.tell(&policy.diagnostics, diagnostic);
    }
}

/// Reports that the response of a request came while its route was unknown.
///
/// Only a successful response counts: others can come from a layer outside of the router, or from a fallback. The same holds
/// for `OPTIONS`, to which a layer for CORS responds. A name that was given shows that the service knows of the missing route.
#[cold]
pub(super) fn report_route(span: &Span, status: Option<u16>) {
    let Some(cell) = span.cell().filter(|cell| cell.is_recorded()) else {
        return;
    };
    let policy = cell.policy();
    let reported = &policy.reported.route;
    let reported_remedy = policy.reported.route_remedy.get();
    if reported.is_told() || !matches!(status, Some(200..300)) {
        return;
    }
    let found = cell.change(|record| {
        let is_named = record.name.text().is_some();
        let http = record.http()?;
        // A gRPC call is named after its method.
        let has_name = is_named || http.grpc.is_request();
        let is_lost = !has_name && http.is_route_unknown() && http.shown().method() != "OPTIONS";
        is_lost.then_some(http.component)
    });
    if let (Some(Some(component)), Some(&remedy)) = (found, reported_remedy) {
        let diagnostic = || Diagnostic::RouteUnknown { component, remedy };
        reported.tell(&policy.diagnostics, diagnostic);
    }
}
