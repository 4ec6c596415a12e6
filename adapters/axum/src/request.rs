//! What axum keeps in a request's extensions.

use axum::extract::{MatchedPath, OriginalUri};
use http::Extensions;
use opentracing_http::Route;
use opentracing_tower::Framework;

/// axum's name, route, path and, with the feature `connect-info`, its way to keep the peer's address.
#[derive(Debug, Clone)]
pub(crate) enum Axum {}

impl Framework for Axum {
    const COMPONENT: &'static str = "axum";

    /// The matched path is absent for fallbacks, and for a layer round the whole router, which runs before the routing:
    /// these two cannot be told apart, so nothing is claimed.
    fn route(extensions: &Extensions) -> Route<'_> {
        extensions
            .get::<MatchedPath>()
            .map_or(Route::Unknown, |path| Route::Template(path.as_str()))
    }

    /// A nested router takes its own path away from the request's. The router keeps the whole for everything within it.
    fn path(extensions: &Extensions) -> Option<&str> {
        Some(extensions.get::<OriginalUri>()?.path())
    }

    #[cfg(feature = "connect-info")]
    fn peer(extensions: &Extensions) -> Option<std::net::SocketAddr> {
        use axum::extract::ConnectInfo;

        let ConnectInfo(peer) = extensions.get::<ConnectInfo<std::net::SocketAddr>>()?;
        Some(*peer)
    }
}
