//! [`Tracing`] is a poem middleware that traces requests, and [`CurrentSpan`] an extractor of their
//! spans.

use http_body::{Body, Frame, SizeHint};
use opentracing_http::{MountPoint, RequestView, Route, Span, propagation::HeaderView, server::*};
use poem::{Endpoint, FromRequest, IntoResponse, Middleware, PathPattern, Request, Response, http};

type BoxBody = http_body_util::combinators::BoxBody<bytes::Bytes, std::io::Error>;

/// Traces what it is put round: an application, a route, an endpoint.
#[derive(Clone, Debug)]
pub struct Tracing<E = ()>(Instrumentation, E);

impl Tracing {
    /// Takes `&tracing`, or `tracing.mount_point()` with options.
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        Self(Instrumentation::new(mount_point, "poem"), ())
    }
}

impl<E: Endpoint> Middleware<E> for Tracing {
    type Output = Tracing<E>;
    fn transform(&self, inner: E) -> Tracing<E> {
        Tracing(self.0.clone(), inner)
    }
}

impl<E: Endpoint> Endpoint for Tracing<E> {
    type Output = Response;
    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let span = self.0.begin(&Head(&request));
        let outermost = span.leave_mark(request.extensions_mut());
        let (result, mut span) = InRequest::new(span, || self.1.call(request)).await;
        let mut response = match result.inspect_err(|error| span.set_error(error)) {
            Err(error) if outermost => error.into_response(),
            // What handles errors between two mount points gets them as they are.
            result => result?.into_response(),
        };
        span.set_route(response.data().map_or(Route::Unknown, TEMPLATE));
        let inner = BoxBody::from(response.take_body());
        let mut response = http::Response::from(response);
        let mut span = span.respond(&mut response);
        if let Some(mut span) = span.take_if(|_| inner.is_end_stream()) {
            span.note(BodyPart::End);
        }
        // With its body in it `Response::from` would forget how long that is.
        let mut response = Response::from(response);
        response.set_body(BoxBody::new(TracedBody(FollowedBody::new(inner, span))));
        Ok(response)
    }
}

const TEMPLATE: fn(&PathPattern) -> Route<'_> = |pattern| Route::Template(&pattern.0);

struct Head<'a>(&'a Request);

impl RequestView for Head<'_> {
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
        Some(self.0.scheme().as_str())
    }
    fn authority(&self) -> Option<&str> {
        Some(self.0.original_uri().authority()?.as_str())
    }
    fn peer(&self) -> Option<std::net::SocketAddr> {
        self.0.remote_addr().as_socket_addr().copied()
    }
    fn version(&self) -> Option<http::Version> {
        Some(self.0.version())
    }
    fn route(&self) -> Route<'_> {
        self.0.data().map_or(Route::Unmatched, TEMPLATE)
    }
    fn has_mark(&self, mark: Mark) -> bool {
        mark.is_on(self.0.extensions())
    }
}

struct TracedBody(FollowedBody<BoxBody>);

type Polled = std::task::Poll<Option<std::io::Result<Frame<bytes::Bytes>>>>;

impl Body for TracedBody {
    type Data = bytes::Bytes;
    type Error = std::io::Error;
    fn poll_frame(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Polled {
        let poll = |body: std::pin::Pin<&mut BoxBody>| body.poll_frame(cx);
        std::pin::Pin::new(&mut self.0).poll(poll, |frame, body| match frame {
            None => BodyPart::End,
            Some(Err(error)) => BodyPart::Error(error),
            Some(Ok(frame)) => match (frame.data_ref(), frame.trailers_ref()) {
                (_, Some(trailers)) => BodyPart::Trailers(trailers),
                (Some(data), _) if body.is_end_stream() => BodyPart::LastData(data.len()),
                (data, _) => BodyPart::Data(data.map_or(0, bytes::Bytes::len)),
            },
        })
    }
    fn is_end_stream(&self) -> bool {
        self.0.body().is_none_or(Body::is_end_stream)
    }
    fn size_hint(&self) -> SizeHint {
        self.0.body().map(Body::size_hint).unwrap_or_default()
    }
}

/// The span of the request, for handlers: an empty one where nothing is traced.
#[derive(Clone, Debug)]
pub struct CurrentSpan(pub Span);

impl std::ops::Deref for CurrentSpan {
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
