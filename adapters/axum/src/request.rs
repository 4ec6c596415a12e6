//! What axum keeps in a request's extensions.

use axum::extract::{MatchedPath, OriginalUri};
use http::Extensions;
use opentracing_http::Route;
use opentracing_tower::Framework;

/// Reads axum's route and path and, with the feature `connect-info`, the peer's address.
#[derive(Debug, Clone)]
pub(crate) enum Axum {}

impl Framework for Axum {
    const COMPONENT: &'static str = "axum";

    /// The matched path is missing in fallbacks, and in a layer around the whole router, which runs before the routing. Both look
    /// the same, so the route is `Unknown`, not `Unmatched`.
    fn route(extensions: &Extensions) -> Route<'_> {
        extensions
            .get::<MatchedPath>()
            .map_or(Route::Unknown, |path| Route::Template(path.as_str()))
    }

    /// A nested router removes its prefix from the request's path. The outer router keeps the whole path as `OriginalUri`.
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
