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

    #[cfg(feature = "connect-info")]
    const PEER_REMEDY: &'static str =
        "serve the app with `into_make_service_with_connect_info::<SocketAddr>()`";

    #[cfg(not(feature = "connect-info"))]
    const PEER_REMEDY: &'static str = "enable the feature `connect-info` of opentracing-axum, and serve the app with \
         `into_make_service_with_connect_info::<SocketAddr>()`";

    /// A router of axum 0.8 inserts `OriginalUri` before it calls a route, a fallback or a layer.
    fn route_remedy(extensions: &Extensions) -> Option<&'static str> {
        extensions.get::<OriginalUri>().is_none().then_some(
            "no router of axum 0.8 has seen it before `TracingLayer`. If the layer wraps the router, add it with `Router::layer` \
             instead, add a second one to the routes, or give the mount point a name; if the router is one of axum 0.7, use axum \
             0.8, for which opentracing-axum is made",
        )
    }

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
