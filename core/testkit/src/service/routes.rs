//! What a service has, as data.

use std::time::Duration;

use crate::hint::Asked;
use crate::server::{HangUp, asked};

/// Something that not every service has, or the reason why this one does not. No case is skipped for it: the case then
/// asserts what happens instead.
pub type Offered<T> = Result<T, &'static str>;

/// The routes of a service that are requested with `GET`, and what is expected of each.
#[derive(Debug, Clone, Copy)]
pub struct Routes {
    /// Returns 200 at once.
    pub plain: Route,
    /// A route with parameters. Without one, the query is all that may vary in a request to the plain route.
    pub template: Offered<Template>,
    /// Returns a status from 500 up. Without it, no span is an error.
    pub failure: Offered<Route>,
    /// The name of the span of a request whose path no route has, and whose response is 404. Without it such a request may have
    /// any response and any name that does not contain the path.
    pub not_found: Offered<&'static str>,
    /// Returns 200, and is not traced. Without it every request is traced.
    pub skipped: Offered<&'static str>,
    /// Calls the URL that is appended to the path as it is (`/call?to=`), within its trace, and returns 200 once that has
    /// responded. Without it, no span is that of a call.
    pub calls: Offered<Route>,
    /// Returns 200 with a body that takes some time. Without it, the plain route takes what time it takes.
    pub stream: Offered<Lasting>,
    /// Returns 200 after some time. Without it, the plain route takes what time it takes.
    pub slow: Offered<Lasting>,
    /// What becomes of a request whose client closes its connection before the response.
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

/// A path whose response takes some time.
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

    /// The stream, or else the plain route.
    pub(crate) fn stream(&self) -> Lasting {
        offered("Stream", "stream", self.stream).unwrap_or(self.plain.into())
    }

    /// What becomes of a request whose client closes its connection.
    pub(crate) fn hang_up(&self) -> HangUp {
        asked("hang_up", self.hang_up, &HangUp::ALL)
    }

    /// The slow route, or else the plain one.
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

/// What is offered. If it is not, a line is printed from which the matrix page learns that the case asserted what happens
/// instead.
fn offered<T>(feature: &str, field: &str, offer: Offered<T>) -> Option<T> {
    if offer.is_err() {
        println!("fallback\t{feature}");
    }
    Asked::route(field, offer.is_ok()).note();
    offer.ok()
}
