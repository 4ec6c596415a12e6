//! A response body that is traced to its end.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use opentracing_http::server::{BodyPart, FollowedBody};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response of [`TracingMiddleware`](crate::TracingMiddleware).
    ///
    /// It yields the bytes of the inner body unchanged, and has the same size. The request's span is current while the inner body
    /// is polled and dropped. Depending on [`SpanEnd`](crate::SpanEnd) the span ends with the last byte.
    #[derive(Debug)]
    pub struct TracingBody<B> {
        #[pin]
        followed: FollowedBody<B>,
    }
}

impl<B> TracingBody<B> {
    pub(crate) fn new(followed: FollowedBody<B>) -> Self {
        Self { followed }
    }
}

impl<B: MessageBody> MessageBody for TracingBody<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        let body = self.followed.body();
        body.map_or(BodySize::None, MessageBody::size)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().followed.poll(
            |body| body.poll_next(cx).map_err(Into::into),
            |chunk, _| match chunk {
                Some(Ok(bytes)) => BodyPart::Data(bytes.len()),
                Some(Err(error)) => BodyPart::Error(error),
                None => BodyPart::End,
            },
        )
    }

    /// Returns the bytes only if no span waits for the end of the body.
    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let body = self.followed.into_bare().map_err(Self::new)?;
        let into_bytes = body.try_into_bytes();
        into_bytes.map_err(|body| Self::new(FollowedBody::new(body, None)))
    }

    fn boxed(self) -> BoxBody
    where
        Self: 'static,
    {
        match self.followed.into_bare() {
            // `boxed` does not box a `BoxBody` a second time.
            Ok(body) => body.boxed(),
            Err(followed) => BoxBody::new(Self::new(followed)),
        }
    }
}
