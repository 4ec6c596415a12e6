//! The response of a handler of the kit, in no framework's types.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::app::block_on;

/// The response of a handler of the kit. The test of an adapter makes its framework's own response of it.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers, in this order, besides those that the framework adds.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
    /// What is sent after the body, where the framework can: see [`Feature::Trailers`](crate::server::Feature::Trailers).
    pub trailers: Vec<(&'static str, String)>,
}

/// The body of a [`Reply`].
#[derive(Debug)]
pub enum Body {
    /// Text that stands ready.
    Text(String),
    /// A stream whose length is not declared.
    Stream(Chunks),
    /// A stream that declares this many bytes as its `Content-Length`.
    Sized(u64, Chunks),
}

impl Reply {
    /// Creates a response with the status 200 and a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Body::Text(text.into()))
    }

    /// Creates a response with a status and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::text("")
        }
    }

    /// Creates a response with the status 200 and these chunks.
    pub fn stream<F>(next: impl FnMut(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Chunk>> + Send + Sync + 'static,
    {
        Self::of(Body::Stream(Chunks::new(next)))
    }

    /// Creates a response with the status 200 and these chunks, of which the length is declared.
    pub fn sized<F>(length: u64, next: impl FnMut(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Chunk>> + Send + Sync + 'static,
    {
        Self::of(Body::Sized(length, Chunks::new(next)))
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.trailers.push((name, value.into()));
        self
    }

    fn of(body: Body) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
            trailers: Vec::new(),
        }
    }
}

/// A part of a body, or its failure.
pub type Chunk = Result<Vec<u8>, Broken>;

/// The error that a body ends in when it fails.
#[derive(Debug, Clone, Copy)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body broke")
    }
}

impl std::error::Error for Broken {}

/// The chunks of a body, made one at a time: a `futures_core::Stream`, for every runtime, and for none.
pub struct Chunks {
    next: Box<dyn FnMut(usize) -> Next + Send + Sync>,
    made: usize,
    making: Option<Next>,
}

type Next = Pin<Box<dyn Future<Output = Option<Chunk>> + Send + Sync>>;

impl Chunks {
    /// `next` makes the chunk of this number, counted from 0, or `None` at the end.
    pub fn new<F>(mut next: impl FnMut(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Chunk>> + Send + Sync + 'static,
    {
        Self {
            next: Box::new(move |number| Box::pin(next(number))),
            made: 0,
            making: None,
        }
    }

    /// The next chunk, for frameworks that block.
    pub fn next_blocking(&mut self) -> Option<Chunk> {
        block_on(poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)))
    }
}

impl Stream for Chunks {
    type Item = Chunk;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        let this = self.get_mut();
        let making = this.making.get_or_insert_with(|| (this.next)(this.made));
        let chunk = making.as_mut().poll(cx);
        if chunk.is_ready() {
            this.making = None;
            this.made += 1;
        }
        chunk
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}
