//! A response body that is followed to its end.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use opentracing_http::server::BodySpan;
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a traced response: the same frames, sizes and trailers, followed to their end.
    #[derive(Debug)]
    pub struct TracingBody<B> {
        // Dropped within the span's scope, so an `Option` that is emptied there.
        #[pin]
        inner: Option<B>,
        span: Option<BodySpan>,
    }

    impl<B> PinnedDrop for TracingBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(span) = this.span {
                span.scope(|| this.inner.set(None));
            }
        }
    }
}

impl<B> TracingBody<B> {
    pub(crate) fn new(inner: B, span: Option<BodySpan>) -> Self {
        Self {
            inner: Some(inner),
            span,
        }
    }
}

impl<B> TracingBody<B> {
    /// The body itself, where nothing follows it: for frameworks that would box the wrapper.
    ///
    /// # Errors
    ///
    /// The wrapper unchanged, where it has to stay.
    #[allow(
        clippy::result_large_err,
        reason = "it is the same value that came in, and boxing it would allocate"
    )]
    pub fn into_bare(mut self) -> Result<B, Self> {
        match (&self.span, self.inner.take()) {
            (None, Some(inner)) => Ok(inner),
            (_, inner) => {
                self.inner = inner;
                Err(self)
            }
        }
    }

    /// The body itself, for frameworks that cannot be given another: it counts as sent, if its size is known, and the
    /// request ends now. `None` if the body has been dropped already.
    #[must_use]
    pub fn into_unfollowed(mut self) -> Option<B>
    where
        B: Body,
    {
        let size = self
            .inner
            .as_ref()
            .and_then(|inner| inner.size_hint().exact());
        if let (Some(span), Some(size)) = (&mut self.span, size) {
            span.sent(usize::try_from(size).unwrap_or(usize::MAX));
            span.end();
        }
        self.inner.take()
    }
}

impl<B> Body for TracingBody<B>
where
    B: Body,
    B::Error: Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(span) = this.span else {
            return inner.poll_frame(cx);
        };
        let frame = ready!(span.scope(|| inner.poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    span.sent(bytes::Buf::remaining(data));
                }
                // The server asks the same after the last frame, and polls no more.
                let ended = this
                    .inner
                    .as_ref()
                    .as_pin_ref()
                    .is_none_or(|inner| inner.is_end_stream());
                if frame.is_trailers() || ended {
                    span.end();
                }
            }
            Some(Err(error)) => span.fail(error),
            None => span.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
