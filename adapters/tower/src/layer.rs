//! The layer, and the service that it makes.

use std::fmt::Display;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use opentracing_http::MountPoint;
use opentracing_http::server::{InRequest, Instrumentation};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::TracingBody;
use crate::future::ResponseFuture;
use crate::request::{Extensions, View};

/// Traces every request that passes through it.
///
/// Where the layer is put decides what is traced. Outermost is best: a layer outside of this one that answers by itself
/// (a timeout, say) is not seen, and a request that it gives up shows as cancelled.
///
/// A request that passes through two of them has one span: the inner one adds its attributes, its name and the route.
#[derive(Debug, Clone)]
pub struct TracingLayer {
    instrumentation: Instrumentation,
    extensions: Extensions,
}

impl TracingLayer {
    /// Creates the layer of a mount point: `&tracing`, or [options](opentracing_http::HttpTracing::mount_point) of its own.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        Self::with_extensions(mount_point, Extensions::default())
    }

    /// Creates the layer for a framework that keeps more in the extensions of its requests.
    #[must_use]
    pub fn with_extensions(mount_point: impl Into<MountPoint>, extensions: Extensions) -> Self {
        Self {
            instrumentation: Instrumentation::new(mount_point, extensions.component),
            extensions,
        }
    }
}

impl<S> Layer<S> for TracingLayer {
    type Service = TracingService<S>;

    fn layer(&self, inner: S) -> TracingService<S> {
        self.instrumentation.mounted();
        TracingService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`TracingLayer`] makes.
#[derive(Debug, Clone)]
pub struct TracingService<S> {
    inner: S,
    layer: TracingLayer,
}

/// Left beside the [mark](opentracing_http::server::Mark) of a request that a layer begins, where [asked](Extensions::leaving_traced):
/// for a framework inside that can look for one type only.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Traced;

impl<S, B, R> Service<Request<B>> for TracingService<S>
where
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
        let span = self.layer.instrumentation.begin(&View {
            request: &request,
            extensions: self.layer.extensions,
        });
        let left = span.leave_mark(request.extensions_mut());
        if left && self.layer.extensions.leaves_traced {
            request.extensions_mut().insert(Traced);
        }
        ResponseFuture::new(InRequest::new(span, || self.inner.call(request)))
    }
}
