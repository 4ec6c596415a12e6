//! The tower layer for `warp::service`.

use std::borrow::Cow;

use opentracing_http::{Attribute, HttpTracing, SpanEnd};
use opentracing_tower::{Extensions, TracingService};
use tower_layer::Layer;

/// Traces every request of a [`warp::service`], from outside of warp.
///
/// It sees what warp sends: also the replies that warp itself makes of rejections, and every byte of every body. A request
/// that is not recorded costs no allocation of ours. In exchange the server is not `warp::serve`'s, and with it goes
/// [`warp::addr::remote`], which answers `None` inside: warp keeps the address where nobody else can put it. The tag of
/// the peer's address is set where the server leaves a [`SocketAddr`](std::net::SocketAddr) in the request's extensions.
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
    layer: opentracing_tower::TracingLayer,
}

impl TracingLayer {
    /// Traces after this policy.
    #[must_use]
    pub fn new(tracing: &HttpTracing) -> Self {
        Self {
            layer: opentracing_tower::TracingLayer::with_extensions(
                tracing,
                Extensions::of("warp").leaving_traced(),
            ),
        }
    }

    /// Tags these attributes as well.
    #[must_use]
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.layer = self.layer.attributes(attributes);
        self
    }

    /// Names the spans so, instead of after method and [`route`](crate::route).
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.layer = self.layer.name(name);
        self
    }

    /// Has the spans end at this moment, instead of the policy's.
    #[must_use]
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.layer = self.layer.ends(end);
        self
    }
}

impl<S> Layer<S> for TracingLayer {
    type Service = TracingService<S>;

    fn layer(&self, inner: S) -> TracingService<S> {
        self.layer.layer(inner)
    }
}
