//! The layer, and the service that it makes.

use std::borrow::Cow;
use std::fmt::Display;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use opentracing_http::server::Instrumentation;
use opentracing_http::{Attribute, HttpTracing, SpanEnd};
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
    /// Traces after this policy.
    #[must_use]
    pub fn new(tracing: &HttpTracing) -> Self {
        Self::with_extensions(tracing, Extensions::default())
    }

    /// Traces after this policy the requests of a framework that leaves more in their extensions.
    #[must_use]
    pub fn with_extensions(tracing: &HttpTracing, extensions: Extensions) -> Self {
        Self {
            instrumentation: Instrumentation::new(tracing, extensions.component),
            extensions,
        }
    }

    /// Tags these attributes as well.
    #[must_use]
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.instrumentation = self.instrumentation.attributes(attributes);
        self
    }

    /// Names the spans so, instead of after method and route.
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.instrumentation = self.instrumentation.name(name);
        self
    }

    /// Has the spans end at this moment, instead of the policy's.
    #[must_use]
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.instrumentation = self.instrumentation.ends(end);
        self
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
        let view = View {
            request: &request,
            extensions: self.layer.extensions,
        };
        let Some(mut span) = self
            .layer
            .instrumentation
            .begin_or_join(&view, |mark| mark.is_on(request.extensions()))
        else {
            return ResponseFuture::new(self.inner.call(request), None);
        };
        if let Some(mark) = span.mark() {
            mark.leave(request.extensions_mut());
            if self.layer.extensions.leaves_traced {
                request.extensions_mut().insert(Traced);
            }
        }
        let future = span.scope(|| self.inner.call(request));
        ResponseFuture::new(future, Some(span))
    }
}
