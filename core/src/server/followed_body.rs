//! A response body together with its request's span.

use std::fmt;
use std::pin::Pin;
use std::task::Poll;

use pin_project_lite::pin_project;

use crate::server::body_span::{BodyPart, BodySpan};

pin_project! {
    /// A response body together with the [`BodySpan`] that ends its request. An adapter's body type wraps one, and its `poll_*`
    /// method calls [`poll`](Self::poll).
    ///
    /// The request's span is current while the body is polled and while it is dropped. Without a [`BodySpan`], the wrapper only
    /// forwards to the body.
    ///
    /// An example for a framework whose bodies are iterators of chunks:
    ///
    /// ```
    /// use opentracing_http::server::{BodyPart, FollowedBody, Instrumentation};
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome};
    ///
    /// type Chunks = Box<dyn Iterator<Item = &'static str>>;
    ///
    /// struct TracedChunks(FollowedBody<Chunks>);
    ///
    /// impl Iterator for TracedChunks {
    ///     type Item = &'static str;
    ///
    ///     fn next(&mut self) -> Option<&'static str> {
    ///         let chunk = self.0.run(Iterator::next, |chunk, _| match chunk {
    ///             Some(chunk) => BodyPart::Data(chunk.len()),
    ///             None => BodyPart::End,
    ///         });
    ///         chunk.flatten()
    ///     }
    /// }
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let span = instrumentation.begin(&http::Request::new(()));
    /// let body = span.respond(&mut http::Response::new(()));
    ///
    /// let chunks: Chunks = Box::new(["hello, ", "world"].into_iter());
    /// let sent: String = TracedChunks(FollowedBody::new(chunks, body)).collect();
    /// assert_eq!(sent, "hello, world");
    ///
    /// let spans = tracer.finished();
    /// let request = spans[0].http().unwrap();
    /// assert_eq!((request.outcome(), request.body_bytes()), (Outcome::Completed, 12));
    /// ```
    pub struct FollowedBody<B> {
        // Dropped within the span's scope, so an `Option` that is emptied there.
        #[pin]
        body: Option<B>,
        span: Option<BodySpan>,
    }

    impl<B> PinnedDrop for FollowedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(span) = this.span {
                span.scope(|| this.body.set(None));
            }
        }
    }
}

impl<B> FollowedBody<B> {
    /// Wraps `body`. `span` is the result of [`respond`](crate::server::RequestSpan::respond). See [`FollowedBody`] for an
    /// example.
    pub fn new(body: B, span: Option<BodySpan>) -> Self {
        Self {
            body: Some(body),
            span,
        }
    }

    /// Returns the body; `None` only while it is being dropped.
    ///
    /// ```
    /// use opentracing_http::server::FollowedBody;
    ///
    /// let followed = FollowedBody::new("hello", None);
    /// assert_eq!(followed.body(), Some(&"hello"));
    /// ```
    #[must_use]
    pub fn body(&self) -> Option<&B> {
        self.body.as_ref()
    }

    /// Returns the body if it has no [`BodySpan`], so that the adapter can send it without a wrapper.
    ///
    /// ```
    /// use opentracing_http::server::FollowedBody;
    ///
    /// let followed = FollowedBody::new("hello", None);
    /// assert_eq!(followed.into_bare().unwrap(), "hello");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the value itself if it has a [`BodySpan`] and has to stay wrapped.
    #[allow(
        clippy::result_large_err,
        reason = "it is the same value that came in, and boxing it would allocate"
    )]
    pub fn into_bare(mut self) -> Result<B, Self> {
        match (&self.span, self.body.take()) {
            (None, Some(body)) => Ok(body),
            (_, body) => {
                self.body = body;
                Err(self)
            }
        }
    }

    /// Returns the body without its wrapper, for a framework that accepts no other body type. The request ends now, as completed,
    /// with this many bytes of body. Returns `None` only while the body is being dropped.
    ///
    /// ```
    /// use opentracing_http::server::{FollowedBody, Instrumentation};
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let span = instrumentation.begin(&http::Request::new(()));
    /// let body = span.respond(&mut http::Response::new(()));
    ///
    /// let followed = FollowedBody::new("hello", body);
    /// assert_eq!(followed.into_unfollowed(5), Some("hello"));
    /// assert_eq!(tracer.finished()[0].http().unwrap().body_bytes(), 5);
    /// ```
    #[must_use]
    pub fn into_unfollowed(mut self, bytes: usize) -> Option<B> {
        if let Some(span) = &mut self.span {
            span.note(BodyPart::LastData(bytes));
        }
        self.body.take()
    }

    /// Polls the body with the request's span current, and records the result.
    ///
    /// If `poll` returns `Ready`, `part` is called with that result and with the body, and returns the [`BodyPart`] to record. It
    /// is not called without a [`BodySpan`]. Returns `Pending` while the body is being dropped.
    ///
    /// ```
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll};
    ///
    /// use opentracing_http::server::{BodyPart, FollowedBody};
    ///
    /// trait Body {
    ///     fn poll_chunk(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>>;
    /// }
    ///
    /// fn poll_traced<B: Body>(
    ///     followed: Pin<&mut FollowedBody<B>>,
    ///     cx: &mut Context<'_>,
    /// ) -> Poll<Option<Vec<u8>>> {
    ///     followed.poll(
    ///         |body| body.poll_chunk(cx),
    ///         |chunk, _body| match chunk {
    ///             Some(chunk) => BodyPart::Data(chunk.len()),
    ///             None => BodyPart::End,
    ///         },
    ///     )
    /// }
    /// ```
    pub fn poll<T>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut B>) -> Poll<T>,
        part: impl for<'t> FnOnce(&'t T, &'t B) -> BodyPart<'t>,
    ) -> Poll<T> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let Some(span) = this.span else {
            return poll(body);
        };
        let polled = span.scope(|| poll(body));
        if let (Poll::Ready(ready), Some(body)) = (&polled, this.body.as_ref().as_pin_ref()) {
            span.note(part(ready, body.get_ref()));
        }
        polled
    }

    /// Runs `f` with the request's span current and records the result, as [`poll`](Self::poll) does, for a body that is not
    /// polled: one that blocks, or an iterator. Returns `None` while the body is being dropped. See [`FollowedBody`] for an
    /// example.
    pub fn run<T>(
        &mut self,
        f: impl FnOnce(&mut B) -> T,
        part: impl for<'t> FnOnce(&'t T, &'t B) -> BodyPart<'t>,
    ) -> Option<T>
    where
        B: Unpin,
    {
        match Pin::new(self).poll(|body| Poll::Ready(f(body.get_mut())), part) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }
}

impl<B> fmt::Debug for FollowedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowedBody")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
