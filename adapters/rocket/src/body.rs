//! A response body that is traced to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use opentracing_http::server::{BodyPart, BodySpan, FollowedBody};
use rocket::response::{Body, Response};
use rocket::tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

/// The body of a traced response. It yields the bytes of the inner body unchanged.
struct TracedBody<'r>(FollowedBody<Body<'r>>);

/// Wraps the response's body. Its size and its maximal chunk size stay the same.
pub(crate) fn follow<'r>(response: &mut Response<'r>, span: BodySpan) {
    let inner = response.body_mut().take();
    let (size, max_chunk_size) = (inner.preset_size(), inner.max_chunk_size());
    let body = TracedBody(FollowedBody::new(inner, Some(span)));
    match size {
        Some(size) => response.set_sized_body(size, body),
        None => response.set_streamed_body(body),
    }
    response.set_max_chunk_size(max_chunk_size);
}

impl AsyncRead for TracedBody<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buf.filled().len(), buf.remaining() > 0);
        let polled = Pin::new(&mut self.get_mut().0).poll(
            |body| {
                let read = ready!(body.poll_read(cx, buf));
                Poll::Ready((read, buf.filled().len().saturating_sub(before)))
            },
            |(read, bytes), _| match (read, *bytes) {
                (Err(error), _) => BodyPart::Error(error),
                (Ok(()), 0) if has_room => BodyPart::End,
                (Ok(()), bytes) => BodyPart::Data(bytes),
            },
        );
        polled.map(|(read, _)| read)
    }
}

/// Rocket requires this of a body whose size is known. It seeks only in bodies whose size is not known, so never in this one.
impl AsyncSeek for TracedBody<'_> {
    fn start_seek(self: Pin<&mut Self>, _: io::SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
