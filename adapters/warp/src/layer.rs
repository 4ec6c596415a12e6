//! The tower layer for `warp::service`.

use opentracing_http::MountPoint;
use opentracing_tower::{Framework, TracingService};
use tower_layer::Layer;

/// Traces every request of a [`warp::service`], from outside of warp.
///
/// It sees everything that warp sends: the replies that warp itself makes of rejections, and every byte of every body. It uses
/// documented interfaces only, and costs less than the filter form ([`Traced`](crate::Traced)).
///
/// The server is not `warp::serve`'s then, and [`warp::addr::remote`] returns `None`: warp keeps the address under a type that
/// only `warp::serve` can set. The span has the peer's address where the server leaves a
/// [`SocketAddr`](std::net::SocketAddr) in the request's extensions, as this one does:
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

/// warp as tower's adapter sees it.
#[derive(Debug, Clone)]
pub enum Warp {}

impl Framework for Warp {
    const COMPONENT: &'static str = "warp";
    // Filters can look for one type only.
    const LEAVES_TRACED: bool = true;
}

impl TracingLayer {
    /// Creates the layer of a mount point: `&tracing`, or [options](opentracing_http::HttpTracing::mount_point) of its own.
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
