//! The layer for routers, method routers and handlers.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http::{Request, Response};
use opentracing_http::MountPoint;
use opentracing_tower::TracingBody;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::request::Axum;

/// Traces every request to a router, a method router or a handler.
///
/// Add it last with [`Router::layer`](axum::Router::layer). It then covers all routes that were added before, the fallback (404),
/// and wrong methods of known paths (405). Spans are named after the matched path, also in nested routers.
///
/// A layer that wraps a whole router (`TracingLayer::new(&tracing).layer(router)`) runs before the routing and does not know
/// the route. Its spans are named after the method, unless a second layer, on the routes, sets the route.
///
/// A request that passes through two such layers has one span. The outer layer begins and ends it; the inner layer adds its
/// attributes, its name and the route.
///
/// ```
/// use axum::{Router, routing::get};
/// use opentracing_axum::{Attribute, HttpTracing, InMemoryTracer, TracingLayer};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "one of many" }))
///     .route("/chosen", get(|| async { "!" }).layer(TracingLayer::new(tracing.mount_point().attributes([Attribute::URL]))))
///     .layer(TracingLayer::new(&tracing));
/// # let _ = app;
/// ```
#[derive(Debug, Clone)]
pub struct TracingLayer {
    layer: opentracing_tower::TracingLayer<Axum>,
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
    type Service = TracingService<S>;

    fn layer(&self, inner: S) -> TracingService<S> {
        TracingService {
            inner: self.layer.layer(inner),
        }
    }
}

/// The service that [`TracingLayer`] returns.
///
/// Its responses have axum's own body type, so it can also wrap a whole router. A response that is not traced is not boxed a
/// second time.
#[derive(Debug, Clone)]
pub struct TracingService<S> {
    inner: opentracing_tower::TracingService<S, Axum>,
}

impl<S, B, R> Service<Request<B>> for TracingService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Display + Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`TracingService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: opentracing_tower::ResponseFuture<F>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Display,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Display + Into<axum::BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(|body| {
            match body.into_followed().into_bare() {
                // `Body::new` does not box a body that is already axum's.
                Ok(bare) => Body::new(bare),
                Err(followed) => Body::new(TracingBody::new(followed)),
            }
        })))
    }
}
