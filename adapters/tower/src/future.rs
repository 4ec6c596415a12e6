//! The future of a traced response.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use opentracing_http::server::{BodySize, RequestSpan, ResponseView};
use pin_project_lite::pin_project;

use crate::body::TracingBody;

pin_project! {
    /// The future of [`TracingService`](crate::TracingService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct ResponseFuture<F> {
        // Dropped within the span's scope, so an `Option` that is emptied there.
        #[pin]
        inner: Option<F>,
        // Empty where an outer layer holds the request's span.
        span: Option<RequestSpan>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(span) = this.span {
                span.scope(|| this.inner.set(None));
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, span: Option<RequestSpan>) -> Self {
        Self {
            inner: Some(inner),
            span,
        }
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
        let mut this = self.project();
        let mut poll_inner = || {
            // Polled once more after it was ready, which is the caller's mistake, it has nothing to say.
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.map_or(Poll::Pending, |inner| inner.poll(cx));
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        };
        let result = ready!(match this.span.as_mut() {
            Some(span) => span.scope(poll_inner),
            None => poll_inner(),
        });
        let span = this.span.take();
        Poll::Ready(match result {
            Ok(response) => Ok(match span {
                Some(span) => follow(response, span),
                None => response.map(|body| TracingBody::new(body, None)),
            }),
            Err(error) => {
                if let Some(span) = span {
                    span.fail(None, &error);
                }
                Err(error)
            }
        })
    }
}

/// Notes the head of a request's response, and follows its body to its end: what the layer does, for adapters of frameworks
/// that cannot be wrapped in one.
#[must_use]
pub fn follow<B: Body>(mut response: Response<B>, span: RequestSpan) -> Response<TracingBody<B>> {
    span.write_response_headers(response.headers_mut());
    let body = response.body();
    let span = span.head(&ResponseView {
        status: response.status().as_u16(),
        headers: response.headers(),
        body: match body.size_hint().exact() {
            _ if body.is_end_stream() => BodySize::Empty,
            Some(size) => BodySize::Exact(size),
            None => BodySize::Unknown,
        },
        upgrade: false,
    });
    response.map(|body| TracingBody::new(body, span))
}
