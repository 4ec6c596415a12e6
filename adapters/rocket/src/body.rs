//! A response body that is followed to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use opentracing_http::server::BodySpan;
use rocket::response::{Body, Response};
use rocket::tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

/// The body of a traced response: the same bytes, read with the request's span current.
struct TracedBody<'r> {
    inner: Body<'r>,
    span: BodySpan,
    unread: Unread,
}

/// What a body means that is dropped without having been read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The client left before the head was written.
    Abandoned,
    /// The request may have been a `HEAD`, which a route cannot tell.
    Complete,
}

/// Puts a wrapper round the response's body; size and chunk size stay.
pub(crate) fn follow<'r>(response: &mut Response<'r>, span: BodySpan, unread: Unread) {
    let inner = response.body_mut().take();
    let (size, max_chunk_size) = (inner.preset_size(), inner.max_chunk_size());
    let body = TracedBody {
        inner,
        span,
        unread,
    };
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
        let Self {
            inner,
            span,
            unread,
        } = self.get_mut();
        *unread = Unread::Abandoned;
        let (before, asked) = (buf.filled().len(), buf.remaining() > 0);
        let read = ready!(span.scope(|| Pin::new(inner).poll_read(cx, buf)));
        match &read {
            Ok(()) => match buf.filled().len().saturating_sub(before) {
                0 if asked => span.end(),
                bytes => span.sent(bytes),
            },
            Err(error) => span.fail(error),
        }
        Poll::Ready(read)
    }
}

/// Asked for by rocket's interface for bodies of known size; it seeks only to find a size out.
impl AsyncSeek for TracedBody<'_> {
    fn start_seek(self: Pin<&mut Self>, _: io::SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl Drop for TracedBody<'_> {
    fn drop(&mut self) {
        let Self {
            inner,
            span,
            unread,
        } = self;
        span.scope(|| drop(inner.take()));
        if *unread == Unread::Complete {
            span.end();
        }
    }
}
