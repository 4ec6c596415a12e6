//! The life of a response body.

use std::fmt::{self, Display};

use crate::http::Outcome;
use crate::propagation::HeaderView;
use crate::server::request::Request;
use crate::span::Span;

/// Follows a response body to its end. [`FollowedBody`](crate::server::FollowedBody) keeps it together with the body.
///
/// Dropped before the body's end it is [abandoned](Outcome::BodyAbandoned), unless all the bytes that were declared had
/// been sent: servers drop such a body without polling it once more.
#[derive(Debug)]
#[must_use = "dropping it ends the request"]
pub struct BodySpan {
    /// It may have ended: an event stream's ends with its head, and its body still runs in scope.
    request: Request,
    declared: Option<u64>,
    sent: u64,
}

/// What a body has brought.
#[derive(Clone, Copy)]
pub enum BodyPart<'a> {
    /// This many bytes, after which more can come.
    Data(usize),
    /// This many bytes, after which nothing comes.
    LastData(usize),
    /// The trailers (RFC 9110, section 6.5), after which nothing comes. Attributes that are made of a header of the response
    /// which its head did not have are made of its trailers.
    Trailers(&'a dyn HeaderView),
    /// The end.
    End,
    /// An error, after which nothing comes.
    Error(&'a dyn Display),
}

impl fmt::Debug for BodyPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => f.debug_tuple("Data").field(bytes).finish(),
            Self::LastData(bytes) => f.debug_tuple("LastData").field(bytes).finish(),
            Self::Trailers(_) => f.write_str("Trailers"),
            Self::End => f.write_str("End"),
            // How an error shows itself is not ours.
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

    /// Returns the request's span.
    #[must_use]
    pub fn span(&self) -> &Span {
        self.request.span()
    }

    /// Runs a part of the body with the request's span current: one poll, its drop. A panic that leaves `f` is noted and
    /// goes on.
    pub fn scope<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.request.scope(f)
    }

    /// Notes what the body has brought, and ends the request where it is the last. Later calls do nothing.
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
        self.request.end(outcome, self.sent);
    }
}

impl Drop for BodySpan {
    fn drop(&mut self) {
        let is_complete = self.declared.is_some_and(|declared| self.sent >= declared);
        let outcome = match is_complete {
            true => Outcome::Completed,
            false => Outcome::BodyAbandoned,
        };
        self.request.end(outcome, self.sent);
    }
}
