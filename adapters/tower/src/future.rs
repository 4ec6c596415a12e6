//! The future of a traced response.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use opentracing_http::server::{BodySize, FollowedBody, InRequest, RequestSpan, WithBodySize};
use pin_project_lite::pin_project;

use crate::body::TracingBody;

pin_project! {
    /// The future of [`TracingService`](crate::TracingService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        handler: InRequest<F>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(handler: InRequest<F>) -> Self {
        Self { handler }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Display,
{
    type Output = Result<Response<TracingBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (result, span) = ready!(self.project().handler.poll(cx));
        Poll::Ready(match result {
            Ok(response) => Ok(follow(response, span)),
            Err(error) => {
                span.fail(None, &error);
                Err(error)
            }
        })
    }
}

/// Records the response of a request in its span, and returns the response with a body that is traced to its end.
///
/// [`TracingLayer`](crate::TracingLayer) does this by itself. Call it in an adapter of a framework that has no tower layers.
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use opentracing_tower::server::{InRequest, Instrumentation};
/// use opentracing_tower::{TracingBody, follow};
///
/// type Body = Full<&'static [u8]>;
///
/// async fn handler(_: Request<()>) -> Response<Body> {
///     Response::new(Full::new(b"hello"))
/// }
///
/// async fn traced(
///     instrumentation: &Instrumentation,
///     request: Request<()>,
/// ) -> Response<TracingBody<Body>> {
///     let span = instrumentation.begin(&request);
///     let (response, span) = InRequest::new(span, || handler(request)).await;
///     follow(response, span)
/// }
/// ```
#[must_use]
pub fn follow<B: Body>(mut response: Response<B>, span: RequestSpan) -> Response<TracingBody<B>> {
    let body = response.body();
    let size = match body.size_hint().exact() {
        _ if body.is_end_stream() => BodySize::Empty,
        Some(size) => BodySize::Exact(size),
        None => BodySize::Unknown,
    };
    let body = span.respond(&mut WithBodySize(&mut response, size));
    response.map(|inner| TracingBody::new(FollowedBody::new(inner, body)))
}
