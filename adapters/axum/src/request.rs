//! What axum leaves in a request's extensions.

use axum::extract::{MatchedPath, OriginalUri};
use http::Extensions;
use opentracing_http::Route;
use opentracing_tower::Extensions as View;

/// axum's name, route, path and, with the feature, its way to keep the peer's address.
pub(crate) fn view() -> View {
    let view = View::of("axum").route(route).path(path);
    #[cfg(feature = "connect-info")]
    let view = view.peer(peer);
    view
}

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
