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

/// Traces every request of what it is put round: a router, a method router, a handler.
///
/// In [`Router::layer`](axum::Router::layer), added last, it covers every route added before, the 404 fallback and the
/// 405 of known paths, and names spans after the matched path, also of nested routers. Round the router as a whole it
/// runs before the routing; a second one on the routes then tells the name.
///
/// A request that passes through two of them has one span: the inner one adds its attributes, its name and the route.
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
    /// Creates the layer of a mount point: `&tracing`, or [options](opentracing_http::HttpTracing::mount_point) of its own.
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

/// The service that [`TracingLayer`] makes.
///
/// It answers with axum's own body, so that it can stand round a whole router as well, and an untraced response is not
/// boxed once more.
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
                // axum's own body is taken as it is.
                Ok(bare) => Body::new(bare),
                Err(followed) => Body::new(TracingBody::new(followed)),
            }
        })))
    }
}
