//! A response body that is followed to its end.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use opentracing_http::server::{BodyPart, FollowedBody};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a traced response: the same frames, sizes and trailers, followed to their end.
    #[derive(Debug)]
    pub struct TracingBody<B> {
        #[pin]
        followed: FollowedBody<B>,
    }
}

impl<B> TracingBody<B> {
    /// Wraps a body that is followed, for an adapter of a framework on `http_body`; see [`follow`](crate::follow).
    #[must_use]
    pub fn new(followed: FollowedBody<B>) -> Self {
        Self { followed }
    }

    /// Returns the body and what follows it, for an adapter of a framework that boxes bodies or takes no others; see
    /// [`FollowedBody::into_bare`] and [`FollowedBody::into_unfollowed`] for examples.
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

/// What a body has brought.
fn part<'a, B: Body>(frame: &'a Option<Result<Frame<B::Data>, B::Error>>, body: &B) -> BodyPart<'a>
where
    B::Error: Display,
{
    match frame {
        None => BodyPart::End,
        Some(Err(error)) => BodyPart::Error(error),
        Some(Ok(frame)) => match (frame.data_ref(), frame.trailers_ref()) {
            (_, Some(trailers)) => BodyPart::Trailers(trailers),
            // The server asks the same after the last frame, and polls no more.
            (data, None) if body.is_end_stream() => BodyPart::LastData(bytes(data)),
            (data, None) => BodyPart::Data(bytes(data)),
        },
    }
}

fn bytes<D: Buf>(data: Option<&D>) -> usize {
    data.map_or(0, Buf::remaining)
}
