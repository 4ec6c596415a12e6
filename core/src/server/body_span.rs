//! A request from its response head to the end of the body.

use std::fmt::{self, Display};

use crate::http::Outcome;
use crate::propagation::HeaderView;
use crate::server::request::Request;
use crate::span::Span;

/// The right to end a request whose response head is known, held until the end of the response body.
/// [`RequestSpan::respond`](crate::server::RequestSpan::respond) returns it.
///
/// Most adapters pass it to a [`FollowedBody`](crate::server::FollowedBody), which calls the methods below. If it is dropped
/// before the body's end, the request ends as an [abandoned body](Outcome::BodyAbandoned). If all bytes that were declared have
/// been sent by then, it ends as [completed](Outcome::Completed): servers drop such a body without polling it again.
///
/// ```
/// use opentracing_http::server::{BodyPart, Instrumentation};
/// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Span};
///
/// let tracer = InMemoryTracer::new();
/// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
/// let span = instrumentation.begin(&http::Request::new(()));
///
/// // The size of this body is not known, so it has to be followed.
/// let mut body = span.respond(&mut http::Response::new(())).unwrap();
/// assert!(body.span().is_recording());
/// let chunk = body.scope(|| {
///     Span::current().log("chunk");
///     "hello"
/// });
/// body.note(BodyPart::Data(chunk.len()));
/// body.note(BodyPart::End);
///
/// let spans = tracer.finished();
/// let request = spans[0].http().unwrap();
/// assert_eq!((request.outcome(), request.body_bytes()), (Outcome::Completed, 5));
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the request"]
pub struct BodySpan {
    /// It may have ended already: the request of an event stream ends with its head, while its body still runs in scope.
    request: Request,
    /// The size of the body in bytes, if the response declares one.
    declared: Option<u64>,
    /// The bytes that were handed to the server so far.
    sent: u64,
}

/// The result of one poll of a response body; see [`BodySpan`] for an example.
#[derive(Clone, Copy)]
pub enum BodyPart<'a> {
    /// A chunk of this many bytes. More parts can follow.
    Data(usize),
    /// The last chunk, of this many bytes. No part follows.
    LastData(usize),
    /// The trailers (RFC 9110, section 6.5). No part follows. An attribute of a response header that the head did not have is
    /// read from the trailers.
    Trailers(&'a dyn HeaderView),
    /// The end of the body. No part follows.
    End,
    /// An error of the body. No part follows.
    Error(&'a dyn Display),
}

impl fmt::Debug for BodyPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => f.debug_tuple("Data").field(bytes).finish(),
            Self::LastData(bytes) => f.debug_tuple("LastData").field(bytes).finish(),
            Self::Trailers(_) => f.write_str("Trailers"),
            Self::End => f.write_str("End"),
            // `Display` of an error is foreign code, and may panic.
            Self::Error(_) => f.write_str("Error"),
        }
    }
}

impl BodySpan {
    pub(super) fn new(request: Request, declared: Option<u64>) -> Self {
        Self {
            request,
            declared,
            sent: 0,
        }
    }

    /// Returns the request's span. See [`BodySpan`] for an example.
    #[must_use]
    pub fn span(&self) -> &Span {
        self.request.span()
    }

    /// Runs `f`, one poll of the body or its drop, with the request's span current on this thread. See [`BodySpan`] for an
    /// example.
    ///
    /// A panic of `f` is recorded as the request's outcome and continues to the caller.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.request.scope(f)
    }

    /// Records a part of the body. Ends the request if it is the last part; later calls then do nothing. See [`BodySpan`] for an
    /// example.
    pub fn note(&mut self, part: BodyPart<'_>) {
        if let BodyPart::Data(bytes) | BodyPart::LastData(bytes) = part {
            self.sent = self.sent.saturating_add(bytes as u64);
        }
        let outcome = match part {
            BodyPart::Data(_) => return,
            BodyPart::LastData(_) | BodyPart::End => Outcome::Completed,
            BodyPart::Trailers(trailers) => {
                self.request.read_trailers(trailers);
                Outcome::Completed
            }
            BodyPart::Error(error) => {
                self.request.set_error(error);
                Outcome::BodyFailed
            }
        };
        self.request.is_whole = outcome == Outcome::Completed;
        self.request.end(outcome, Some(self.sent));
    }
}

impl Drop for BodySpan {
    fn drop(&mut self) {
        let is_complete = self.declared.is_some_and(|declared| self.sent >= declared);
        self.request.is_whole = is_complete;
        let outcome = match is_complete {
            true => Outcome::Completed,
            false => Outcome::BodyAbandoned,
        };
        self.request.end(outcome, Some(self.sent));
    }
}
