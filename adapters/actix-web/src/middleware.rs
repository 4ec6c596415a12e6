//! The middleware, its service and its future.

use std::borrow::Cow;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{self, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage};
use opentracing_http::server::{Instrumentation, Marked, RequestSpan, ResponseView};
use opentracing_http::{Attribute, HttpTracing, Route, SpanEnd};
use pin_project_lite::pin_project;

use crate::body::TracingBody;
use crate::headers::{ActixHeaders, Headers};
use crate::patterns;
use crate::request::Request;
use crate::routes::Routes;

/// The middleware that traces what it is wrapped round: an app, a scope, a resource or a route.
///
/// Register it last, so that it is outermost: only then does the span see what the other middlewares make of a request.
/// A request that goes through several of them has one span, started by the outermost; each inner one adds its attributes
/// to it, and its name and its end replace those of the outer ones.
///
/// ```
/// use actix_web::{App, web};
/// use opentracing_actix_web::{Attribute, HttpTracing, InMemoryTracer, TracingMiddleware};
///
/// # async fn user() -> &'static str { "" }
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let app = App::new()
///     .service(
///         web::resource("/users/{id}")
///             .wrap(TracingMiddleware::new(tracing.mount_point().attributes([Attribute::URL])))
///             .route(web::get().to(user)),
///     )
///     .wrap(TracingMiddleware::new(&tracing));
/// # let _ = app;
/// ```
///
/// # Compile error E0271
///
/// The middleware changes the type of the response body. One that is registered after it and insists on `BoxBody` (an
/// `ErrorHandlers` whose handler is a closure, for example) then does not compile: "expected `ServiceResponse`, found
/// `ServiceResponse<TracingBody<BoxBody>>`". Register the tracing last, or as
/// [`Compat::new(TracingMiddleware::new(&tracing))`](actix_web::middleware::Compat), which boxes the body.
#[derive(Debug, Clone)]
pub struct TracingMiddleware {
    instrumentation: Instrumentation,
}

impl TracingMiddleware {
    /// Traces by this policy.
    #[must_use]
    pub fn new(tracing: &HttpTracing) -> Self {
        Self {
            instrumentation: Instrumentation::new(tracing, "actix-web"),
        }
    }

    /// Tags these attributes here, besides those of the policy.
    #[must_use]
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.instrumentation = self.instrumentation.attributes(attributes);
        self
    }

    /// Names the spans so, instead of after method and route. A handler can still rename its own.
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

impl<S, B> Transform<S, ServiceRequest> for TracingMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<TracingBody<B>>;
    type Error = Error;
    type Transform = TracingService<S>;
    type InitError = ();
    type Future = Ready<Result<TracingService<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        self.instrumentation.mounted();
        ready(Ok(TracingService {
            service,
            instrumentation: self.instrumentation.clone(),
            routes: Routes::default(),
        }))
    }
}

/// What [`TracingMiddleware`] makes of a service.
#[derive(Debug)]
pub struct TracingService<S> {
    service: S,
    instrumentation: Instrumentation,
    routes: Routes,
}

/// The extensions of a request, in which its mark is left.
struct Extensions<E>(E);

impl<E: std::ops::DerefMut<Target = dev::Extensions>> Marked for Extensions<E> {
    fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(value);
    }

    fn contains<T: Clone + Send + Sync + 'static>(&self) -> bool {
        self.0.contains::<T>()
    }
}

impl<S, B> Service<ServiceRequest> for TracingService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<TracingBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let mut underway = Underway {
            span: self
                .instrumentation
                .begin_or_join(&Request(&request), |mark| {
                    mark.is_on(&Extensions(request.extensions_mut()))
                }),
            routes: self.routes.clone(),
        };
        if let Some(mark) = underway.span.as_ref().and_then(RequestSpan::mark) {
            mark.leave(&mut Extensions(request.extensions_mut()));
        }
        if underway.is_recording() {
            self.routes.learn(&request);
        }
        let inner = underway.scope(|| self.service.call(request));
        ResponseFuture {
            inner: Some(inner),
            underway,
        }
    }
}

/// A request that has not come back from the inner service. If it never does, it panicked or was cancelled.
#[derive(Debug)]
struct Underway {
    // Nothing where the request has its span from further out.
    span: Option<RequestSpan>,
    routes: Routes,
}

impl Underway {
    fn is_recording(&self) -> bool {
        let span = self.span.as_ref();
        span.is_some_and(|span| span.span().is_recording())
    }

    fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        match &mut self.span {
            Some(span) => span.scope(f),
            None => f(),
        }
    }

    /// Takes the span, named as well as it can be without the request that would know its route.
    fn without_request(&mut self) -> Option<RequestSpan> {
        let mut span = self.span.take()?;
        self.routes.find(&mut span);
        Some(span)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        drop(self.without_request());
    }
}

pin_project! {
    /// The future of a [`TracingService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct ResponseFuture<F> {
        // Dropped within the span's scope, so an `Option` that is emptied there.
        #[pin]
        inner: Option<F>,
        underway: Underway,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.underway.scope(|| this.inner.set(None));
        }
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<TracingBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let poll_inner = || {
            // Only completion empties it, and no one may poll after that.
            let polled = this
                .inner
                .as_mut()
                .as_pin_mut()
                .map_or(Poll::Pending, |inner| inner.poll(cx));
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        };
        let result = ready!(this.underway.scope(poll_inner));
        Poll::Ready(match result {
            Ok(response) => Ok(match this.underway.span.take() {
                Some(span) => traced(response, span),
                None => response.map_body(|_, body| TracingBody::new(body, None)),
            }),
            Err(error) => {
                if let Some(span) = this.underway.without_request() {
                    // The response that actix-web makes of it is made further out.
                    span.fail(
                        Some(error.as_response_error().status_code().as_u16()),
                        &error,
                    );
                }
                Err(error)
            }
        })
    }
}

/// Tells the span of the response, and has it follow the body.
fn traced<B: MessageBody>(
    mut response: ServiceResponse<B>,
    mut span: RequestSpan,
) -> ServiceResponse<TracingBody<B>> {
    if span.is_watched() {
        // Before the inner call this would search the whole route table.
        let pattern = patterns::matched(response.request());
        span.set_route(pattern.as_deref().map_or(Route::Unmatched, Route::Template));
    }
    if let Some(error) = response.response().error() {
        span.set_error(error);
    }
    span.write_response_headers(&mut ActixHeaders(response.headers_mut()));
    let head = response.response().head();
    let body = span.head(&ResponseView {
        status: head.status.as_u16(),
        headers: &Headers(head.headers()),
        body: match response.response().body().size() {
            BodySize::None | BodySize::Sized(0) => opentracing_http::server::BodySize::Empty,
            BodySize::Sized(size) => opentracing_http::server::BodySize::Exact(size),
            BodySize::Stream => opentracing_http::server::BodySize::Unknown,
        },
        upgrade: head.upgrade(),
    });
    response.map_body(|_, inner| TracingBody::new(inner, body))
}
