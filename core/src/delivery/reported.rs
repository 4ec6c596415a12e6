//! Which missing facts a policy has reported.

use std::sync::OnceLock;

use crate::delivery::once::Once;

/// The diagnostics about facts that a framework does not report.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// [`Diagnostic::PeerUnknown`](crate::Diagnostic::PeerUnknown).
    pub(crate) peer: Once,
    /// [`Diagnostic::RouteUnknown`](crate::Diagnostic::RouteUnknown).
    pub(crate) route: Once,
    /// The remedy of that one, as an adapter has given it first.
    pub(crate) route_remedy: OnceLock<&'static str>,
}
