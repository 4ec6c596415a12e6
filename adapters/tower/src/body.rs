//! A response body that is traced to its end.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use opentracing_http::server::{BodyPart, FollowedBody};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a traced response.
    ///
    /// It yields the frames and trailers of the inner body unchanged, and has the same size. The request's span is current while
    /// the inner body is polled and dropped. Depending on [`SpanEnd`](crate::SpanEnd) the span ends with the last frame.
    ///
    /// ```
    /// use http_body_util::Full;
    /// use opentracing_tower::TracingBody;
    /// use opentracing_tower::server::FollowedBody;
    ///
    /// // No request's span waits for the end of this body, so it needs no wrapper.
    /// let body = TracingBody::new(FollowedBody::new(Full::new(&b"hello"[..]), None));
    /// assert!(body.into_followed().into_bare().is_ok());
    /// ```
    #[derive(Debug)]
    pub struct TracingBody<B> {
        #[pin]
        followed: FollowedBody<B>,
    }
}

impl<B> TracingBody<B> {
    /// Creates the body from one that is followed, for adapters of frameworks that use `http_body`. The page of
    /// [`TracingBody`] has an example. [`follow`](crate::follow) does this for a whole response.
    #[must_use]
    pub fn new(followed: FollowedBody<B>) -> Self {
        Self { followed }
    }

    /// Returns the body together with what follows it, for an adapter of a framework that boxes bodies or accepts no other
    /// type; [`FollowedBody::into_bare`] and [`FollowedBody::into_unfollowed`] show examples.
    #[must_use]
    pub fn into_followed(self) -> FollowedBody<B> {
        self.followed
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
        let followed = self.project().followed;
        followed.poll(|body| body.poll_frame(cx), part)
    }

    fn is_end_stream(&self) -> bool {
        self.followed.body().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.followed
            .body()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Describes a polled frame for the core.
fn part<'a, B: Body>(frame: &'a Option<Result<Frame<B::Data>, B::Error>>, body: &B) -> BodyPart<'a>
where
    B::Error: Display,
{
    match frame {
        None => BodyPart::End,
        Some(Err(error)) => BodyPart::Error(error),
        Some(Ok(frame)) => match (frame.data_ref(), frame.trailers_ref()) {
            (_, Some(trailers)) => BodyPart::Trailers(trailers),
            // Servers also check this after each frame, and do not poll again if it is `true`.
            (data, None) if body.is_end_stream() => BodyPart::LastData(bytes(data)),
            (data, None) => BodyPart::Data(bytes(data)),
        },
    }
}

fn bytes<D: Buf>(data: Option<&D>) -> usize {
    data.map_or(0, Buf::remaining)
}
