//! The middleware, its service and its future.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use opentracing_http::MountPoint;
use opentracing_http::server::{InRequest, Instrumentation};
use pin_project_lite::pin_project;

use crate::body::TracingBody;
use crate::request::Request;
use crate::response::follow;
use crate::routes::Routes;

/// The middleware that traces an app, a scope, a resource or a route.
///
/// Register it last, so that it is outermost. Otherwise the span does not show how middlewares outside of it change the response.
///
/// A request that passes through several of these middlewares has one span. The outermost begins it. Each inner one adds its
/// attributes, and its name and its end replace those of the outer ones.
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
/// The middleware changes the type of the response body. A middleware that is registered after it and accepts only `BoxBody`
/// (`ErrorHandlers` whose handler is a closure, for example) then does not compile: "expected `ServiceResponse`, found
/// `ServiceResponse<TracingBody<BoxBody>>`". Register the tracing last, or as
/// [`Compat::new(TracingMiddleware::new(&tracing))`](actix_web::middleware::Compat), which boxes the body.
#[derive(Debug, Clone)]
pub struct TracingMiddleware {
    instrumentation: Instrumentation,
}

impl TracingMiddleware {
    /// Creates the middleware from the policy (`&tracing`), or from the policy with
    /// [options](opentracing_http::HttpTracing::mount_point) for this mount point.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        Self {
            instrumentation: Instrumentation::new(mount_point, "actix-web"),
        }
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
            routes: Rc::default(),
        }))
    }
}

/// The service that [`TracingMiddleware`] returns.
#[derive(Debug)]
pub struct TracingService<S> {
    service: S,
    instrumentation: Instrumentation,
    routes: Rc<Routes>,
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
        let mut view = Request::new(&request);
        let span = self.instrumentation.begin(&view);
        span.leave_mark(&mut view);
        if span.span().is_recording() {
            self.routes.learn(&request);
        }
        // Created before the call, so that its `drop` finds the route if the call panics.
        let mut response = ResponseFuture {
            handler: InRequest::before(span),
            routes: Rc::clone(&self.routes),
        };
        response.handler.start(|| self.service.call(request));
        response
    }
}

pin_project! {
    /// The future of a [`TracingService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        handler: InRequest<F>,
        routes: Rc<Routes>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // The span is still here only if the request panicked or was cancelled.
            if let Some(span) = this.handler.span() {
                this.routes.find(span);
            }
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
        let this = self.project();
        let (result, mut span) = ready!(this.handler.poll(cx));
        Poll::Ready(match result {
            Ok(response) => Ok(follow(response, span, this.routes)),
            Err(error) => {
                this.routes.find(&mut span);
                // actix-web creates the response from this error outside of this middleware.
                let status = error.as_response_error().status_code();
                span.fail(Some(status.as_u16()), &error);
                Err(error)
            }
        })
    }
}
