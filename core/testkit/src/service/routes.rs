//! What a service has, as data.

use std::time::Duration;

use crate::hint::Asked;
use crate::server::{HangUp, asked};

/// Something that not every service has, or the reason why this one does not. No case is skipped for it: the case then
/// asserts what happens instead.
pub type Offered<T> = Result<T, &'static str>;

/// What there is to ask a service for with `GET`, and what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Routes {
    /// Answers 200 at once.
    pub plain: Route,
    /// A route with parameters. Without one, the query is all that may vary in a request to the plain route.
    pub template: Offered<Template>,
    /// Answers with a status from 500 up. Without it, no span tells an error.
    pub failure: Offered<Route>,
    /// What the span of a request is called whose path no route has, and which is answered with 404. Without it such a
    /// request may be answered, and named, as the service likes, as long as the path is not part of the name.
    pub not_found: Offered<&'static str>,
    /// Answers 200, and is not traced. Without it every request that the service answers is traced.
    pub skipped: Offered<&'static str>,
    /// Calls the URL that is appended to the path as it is (`/call?to=`), within its trace, and answers 200 once that has
    /// answered. Without it, no span is that of a call.
    pub calls: Offered<Route>,
    /// Answers 200 with a body that takes its time. Without it, the plain route takes what time it takes.
    pub stream: Offered<Lasting>,
    /// Answers 200 after some time. Without it, the plain route takes what time it takes.
    pub slow: Offered<Lasting>,
    /// What becomes of a request whose client closes its connection before there is an answer.
    pub hang_up: HangUp,
}

/// A path, and what the span of a request for it is called.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The path, which may have a query.
    pub path: &'static str,
    /// The span's name.
    pub name: &'static str,
}

/// A route with parameters in its path.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// Two paths that it matches.
    pub paths: [&'static str; 2],
    /// What the spans of both are called.
    pub name: &'static str,
    /// The template, as the tag `http.route` has it.
    pub template: &'static str,
}

/// A path whose answer takes its time.
#[derive(Debug, Clone, Copy)]
pub struct Lasting {
    /// The path, and what its span is called.
    pub route: Route,
    /// The least that its span must last.
    pub lasts: Duration,
}

impl Routes {
    /// A service with this plain route, and nothing else; to start from. What is overwritten needs no reason.
    #[must_use]
    pub const fn only(plain: Route, reason: &'static str) -> Self {
        Self {
            plain,
            template: Err(reason),
            failure: Err(reason),
            not_found: Err(reason),
            skipped: Err(reason),
            calls: Err(reason),
            stream: Err(reason),
            slow: Err(reason),
            hang_up: HangUp::Cancels,
        }
    }

    /// What is missing, each with the reason.
    pub(crate) fn lacks(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let offers = [
            ("Template", self.template.err()),
            ("Failure", self.failure.err()),
            ("NotFound", self.not_found.err()),
            ("Skipped", self.skipped.err()),
            ("Calls", self.calls.err()),
            ("Stream", self.stream.err()),
            ("Slow", self.slow.err()),
        ];
        let lacks = offers.into_iter();
        lacks.filter_map(|(feature, reason)| Some((feature, reason?)))
    }

    pub(crate) fn template(&self) -> Option<Template> {
        offered("Template", "template", self.template)
    }

    pub(crate) fn failure(&self) -> Option<Route> {
        offered("Failure", "failure", self.failure)
    }

    pub(crate) fn not_found(&self) -> Option<&'static str> {
        offered("NotFound", "not_found", self.not_found)
    }

    pub(crate) fn skipped(&self) -> Option<&'static str> {
        offered("Skipped", "skipped", self.skipped)
    }

    pub(crate) fn calls(&self) -> Option<Route> {
        offered("Calls", "calls", self.calls)
    }

    /// The stream; the plain route in its place.
    pub(crate) fn stream(&self) -> Lasting {
        offered("Stream", "stream", self.stream).unwrap_or(self.plain.into())
    }

    /// What becomes of a request whose client closes its connection.
    pub(crate) fn hang_up(&self) -> HangUp {
        asked("hang_up", self.hang_up, &HangUp::ALL)
    }

    /// The slow route; the plain one in its place.
    pub(crate) fn slow(&self) -> Lasting {
        offered("Slow", "slow", self.slow).unwrap_or(self.plain.into())
    }
}

impl From<Route> for Lasting {
    /// No time at all.
    fn from(route: Route) -> Self {
        Self {
            route,
            lasts: Duration::ZERO,
        }
    }
}

/// What is offered. If it is not, the running case says so in a line that it prints: the matrix page tells by it that the
/// fallback was asserted.
fn offered<T>(feature: &str, field: &str, offer: Offered<T>) -> Option<T> {
    if offer.is_err() {
        println!("fallback\t{feature}");
    }
    Asked::route(field, offer.is_ok()).note();
    offer.ok()
}
