//! The response body, followed to its end.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use opentracing_http::server::BodySpan;
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that went through [`TracingMiddleware`](crate::TracingMiddleware): the inner body, followed
    /// to its end where the request's span waits for that.
    ///
    /// Its size is the inner body's. While it is polled and dropped, the request's span is current.
    pub struct TracingBody<B> {
        // Dropped within the span's scope, so an `Option` that is emptied there.
        #[pin]
        body: Option<B>,
        // Nothing where the body needs no following: not recorded, or nothing to be sent.
        span: Option<BodySpan>,
    }

    impl<B> PinnedDrop for TracingBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(span) = this.span {
                span.scope(|| this.body.set(None));
            }
        }
    }
}

impl<B> TracingBody<B> {
    pub(crate) fn new(body: B, span: Option<BodySpan>) -> Self {
        Self {
            body: Some(body),
            span,
        }
    }
}

impl<B: MessageBody> MessageBody for TracingBody<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.as_ref().map_or(BodySize::None, MessageBody::size)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(span) = this.span else {
            return body.poll_next(cx).map_err(Into::into);
        };
        let next = ready!(span.scope(|| body.poll_next(cx))).map(|chunk| chunk.map_err(Into::into));
        match &next {
            Some(Ok(bytes)) => span.sent(bytes.len()),
            Some(Err(error)) => span.fail(error),
            None => span.end(),
        }
        Poll::Ready(next)
    }

    /// Answers the bytes only where nothing waits for them to be sent.
    fn try_into_bytes(mut self) -> Result<Bytes, Self> {
        match (&self.span, self.body.take()) {
            (None, Some(body)) => body.try_into_bytes().map_err(|body| Self::new(body, None)),
            (_, body) => {
                self.body = body;
                Err(self)
            }
        }
    }

    fn boxed(mut self) -> BoxBody
    where
        Self: 'static,
    {
        match (&self.span, self.body.take()) {
            // A body that is boxed already is not boxed once more.
            (None, Some(body)) => body.boxed(),
            (_, body) => {
                self.body = body;
                BoxBody::new(self)
            }
        }
    }
}

impl<B> fmt::Debug for TracingBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingBody")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
