//! An adapter for [`poem`], written from the guide of `opentracing-testkit`: a middleware that traces requests, and the
//! extractor of their spans.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::{InRequest, Instrumentation, Mark};
use opentracing_http::{MountPoint, RequestView, Route, Span};
use opentracing_tower::follow;
use poem::{Endpoint, FromRequest, IntoResponse, Middleware, PathPattern, Request, Response, http};

/// The body of poem's responses.
type HttpBody = BoxBody<Bytes, io::Error>;

/// The middleware that traces an application, a route or an endpoint.
#[derive(Clone, Debug)]
pub struct Tracing {
    instrumentation: Instrumentation,
}

impl Tracing {
    /// Creates the middleware from the policy (`&tracing`), or from the policy with options (`tracing.mount_point()`).
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        let instrumentation = Instrumentation::new(mount_point, "poem");
        Self { instrumentation }
    }
}

impl<E: Endpoint> Middleware<E> for Tracing {
    type Output = Traced<E>;

    fn transform(&self, inner: E) -> Traced<E> {
        let tracing = self.clone();
        Traced { tracing, inner }
    }
}

/// The endpoint that [`Tracing`] returns.
#[derive(Debug)]
pub struct Traced<E> {
    tracing: Tracing,
    inner: E,
}

impl<E: Endpoint> Endpoint for Traced<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let span = self.tracing.instrumentation.begin(&View(&request));
        span.leave_mark(request.extensions_mut());
        let (result, mut span) = InRequest::new(span, || self.inner.call(request)).await;
        let response = match result {
            Ok(response) => response.into_response(),
            // Error handlers between two mount points get the error unchanged.
            Err(error) if !span.is_outermost() => return Err(error),
            Err(error) => {
                span.set_error(&error);
                error.into_response()
            }
        };
        span.set_route(response.data().map_or(Route::Unknown, template));
        let response: http::Response<HttpBody> = response.into();
        let (parts, body) = follow(response, span).into_parts();
        // The body is set separately, because `Response::from` would lose its size.
        let mut response = Response::from(http::Response::from_parts(parts, HttpBody::default()));
        response.set_body(HttpBody::new(body));
        Ok(response)
    }
}

fn template(pattern: &PathPattern) -> Route<'_> {
    Route::Template(&pattern.0)
}

/// Lets the core read poem's request.
struct View<'a>(&'a Request);

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.original_uri().path()
    }

    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }

    fn query(&self) -> Option<&str> {
        self.0.original_uri().query()
    }

    fn scheme(&self) -> Option<&str> {
        // The target's, else that of a connection with TLS.
        let target = self.0.original_uri().scheme_str();
        let connection = Some(self.0.scheme().as_str());
        target.or(connection.filter(|scheme| *scheme == "https"))
    }

    fn authority(&self) -> Option<&str> {
        Some(self.0.original_uri().authority()?.as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.remote_addr().as_socket_addr().copied()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local_addr().as_socket_addr().copied()
    }

    fn version(&self) -> Option<http::Version> {
        Some(self.0.version())
    }

    fn route(&self) -> Route<'_> {
        self.0.data().map_or(Route::Unmatched, template)
    }

    fn has_mark(&self, mark: Mark) -> bool {
        mark.is_on(self.0.extensions())
    }
}

/// The extractor of the request's span. If the request is not traced it contains an empty handle.
#[derive(Clone, Debug)]
pub struct CurrentSpan(pub Span);

impl Deref for CurrentSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl<'a> FromRequest<'a> for CurrentSpan {
    async fn from_request(_: &'a Request, _: &mut poem::RequestBody) -> poem::Result<Self> {
        Ok(Self(Span::current()))
    }
}
