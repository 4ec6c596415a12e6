//! The tower layer for `warp::service`.

use opentracing_http::MountPoint;
use opentracing_tower::{Framework, TracingService};
use tower_layer::Layer;

/// A tower layer that traces every request to a [`warp::service`].
///
/// It sees everything that warp sends, including the replies that warp itself creates for rejections, and every byte of every
/// body. It uses only documented interfaces, and costs less than the filter form ([`Traced`](crate::Traced)).
///
/// `warp::serve` cannot serve such a service. Without it [`warp::addr::remote`] returns `None`, because warp stores the address
/// in a private type. The span has the peer's address if the server inserts a [`SocketAddr`](std::net::SocketAddr) into the
/// request's extensions, as in this example:
///
/// ```no_run
/// use hyper_util::rt::{TokioExecutor, TokioIo};
/// use hyper_util::server::conn::auto::Builder;
/// use hyper_util::service::TowerToHyperService;
/// use opentracing_warp::{HttpTracing, InMemoryTracer, TracingLayer};
/// use tower::{Layer, ServiceExt};
/// use warp::Filter;
///
/// # async fn serve() -> std::io::Result<()> {
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let routes = warp::path!("hello" / String).map(|name| format!("hello, {name}"));
/// let service = TracingLayer::new(&tracing).layer(warp::service(routes));
///
/// let listener = tokio::net::TcpListener::bind(("127.0.0.1", 3030)).await?;
/// loop {
///     let (stream, peer) = listener.accept().await?;
///     let service = service.clone().map_request(move |mut request: http::Request<_>| {
///         request.extensions_mut().insert(peer);
///         request
///     });
///     tokio::spawn(async move {
///         let service = TowerToHyperService::new(service);
///         Builder::new(TokioExecutor::new())
///             .serve_connection_with_upgrades(TokioIo::new(stream), service)
///             .await
///     });
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TracingLayer {
    layer: opentracing_tower::TracingLayer<Warp>,
}

/// The [`Framework`] of the tower layer for warp.
#[derive(Debug, Clone)]
pub enum Warp {}

impl Framework for Warp {
    const COMPONENT: &'static str = "warp";
    // A filter can look up only a fixed type in the extensions.
    const LEAVES_TRACED: bool = true;
}

impl TracingLayer {
    /// Creates the layer from the policy (`&tracing`), or from the policy with
    /// [options](opentracing_http::HttpTracing::mount_point) for this mount point.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        Self {
            layer: opentracing_tower::TracingLayer::for_framework(mount_point),
        }
    }
}

impl<S> Layer<S> for TracingLayer {
    type Service = TracingService<S, Warp>;

    fn layer(&self, inner: S) -> Self::Service {
        self.layer.layer(inner)
    }
}
