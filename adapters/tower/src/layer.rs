//! The layer and its service.

use std::fmt::Display;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use opentracing_http::MountPoint;
use opentracing_http::server::{InRequest, Instrumentation};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::TracingBody;
use crate::future::ResponseFuture;
use crate::request::{Framework, Tower, View};

/// Traces every request that passes through it.
///
/// Add it as the outermost layer. It does not see the responses of layers outside of it. If such a layer stops waiting for this
/// one, as a timeout does, the outcome of the request is `cancelled`.
///
/// A request that passes through two such layers has one span. The outer layer begins and ends it; the inner layer adds its
/// attributes, its name and the route.
///
/// ```
/// use opentracing_tower::{Attribute, HttpTracing, InMemoryTracer, TracingLayer};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let everything = TracingLayer::new(&tracing);
/// let single_route =
///     TracingLayer::new(tracing.mount_point().attributes([Attribute::URL]).name("checkout"));
/// # let _ = (everything, single_route);
/// ```
#[derive(Debug, Clone)]
pub struct TracingLayer<F = Tower> {
    instrumentation: Instrumentation,
    framework: PhantomData<fn() -> F>,
}

impl TracingLayer {
    /// Creates the layer from the policy (`&tracing`), or from the policy with
    /// [options](opentracing_http::HttpTracing::mount_point) for this mount point.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        Self::for_framework(mount_point)
    }
}

impl<F: Framework> TracingLayer<F> {
    /// Creates the layer for a framework that uses tower; see [`Framework`] for an example.
    #[must_use]
    pub fn for_framework(mount_point: impl Into<MountPoint>) -> Self {
        Self {
            instrumentation: Instrumentation::new(mount_point, F::COMPONENT)
                .with_peer_remedy(F::PEER_REMEDY),
            framework: PhantomData,
        }
    }
}

impl<S, F> Layer<S> for TracingLayer<F> {
    type Service = TracingService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        self.instrumentation.mounted();
        TracingService {
            inner,
            instrumentation: self.instrumentation.clone(),
            framework: PhantomData,
        }
    }
}

/// The service that [`TracingLayer`] returns.
#[derive(Debug, Clone)]
pub struct TracingService<S, F = Tower> {
    inner: S,
    instrumentation: Instrumentation,
    framework: PhantomData<fn() -> F>,
}

/// Marks a request whose span a layer has begun. The layer inserts it into the request's extensions if
/// [`Framework::LEAVES_TRACED`] is `true`.
///
/// It is for adapters that can look up only a fixed type in the extensions. Others use [`Mark`](opentracing_http::server::Mark).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Traced;

impl<S, B, R, F> Service<Request<B>> for TracingService<S, F>
where
    F: Framework,
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
    R: Body,
    R::Error: Display,
{
    type Response = Response<TracingBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let view = View(&request, PhantomData::<F>);
        let mut span = self.instrumentation.begin(&view);
        span.expect_route(|| F::route_remedy(request.extensions()));
        if span.leave_mark(request.extensions_mut()) && F::LEAVES_TRACED {
            request.extensions_mut().insert(Traced);
        }
        ResponseFuture::new(InRequest::new(span, || self.inner.call(request)))
    }
}
