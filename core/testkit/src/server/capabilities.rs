//! What a framework can and cannot do, as data.

use std::fmt;

use crate::hint::Asked;

/// What a framework can and cannot do. No case is skipped: where something is lacking, the case asserts
/// what happens instead.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// The framework's name, which is the value of the tag `component`.
    pub component: &'static str,
    /// How the framework writes `{id}` in a route's template.
    pub parameter: &'static str,
    /// What becomes of a panic in a handler.
    pub panic: Panic,
    /// What becomes of a handler whose client closes its connection.
    pub hang_up: HangUp,
    /// What becomes of a handler whose client resets its HTTP/2 stream.
    pub reset: HangUp,
    /// What it cannot do, each with the reason, which stands on the matrix page.
    pub lacks: &'static [(Feature, &'static str)],
}

/// What becomes of a panic in a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panic {
    /// The connection is closed without a response.
    ClosesTheConnection,
    /// The framework makes it a 500 within the tracing: that is the span's status.
    Answers500,
    /// The framework makes it a 500 outside of the tracing: the span has no status.
    Answers500Outside,
}

impl Panic {
    /// The status that the client gets.
    pub(crate) const fn answer(self) -> Option<u16> {
        match self {
            Self::ClosesTheConnection => None,
            Self::Answers500 | Self::Answers500Outside => Some(500),
        }
    }

    /// The status that the span has.
    pub(crate) const fn status(self) -> Option<u16> {
        match self {
            Self::Answers500 => Some(500),
            Self::ClosesTheConnection | Self::Answers500Outside => None,
        }
    }
}

/// What becomes of a handler whose client has hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// It is dropped.
    Cancels,
    /// It runs to its end, and only then the connection is found to be gone.
    RunsOn,
}

impl HangUp {
    pub(crate) const ALL: [Self; 2] = [Self::Cancels, Self::RunsOn];
}

/// The value of a field, of which the running case takes note.
pub(crate) fn asked<T: fmt::Debug + Copy + PartialEq>(field: &str, value: T, all: &[T]) -> T {
    Asked::field(field, &value, all).note();
    value
}

/// What not every framework can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// It has routes with templates. Without them a request is named after its method.
    Routes,
    /// A request that no route matches has a span. Without it there is none.
    UnmatchedRequests,
    /// It knows that no route matched. Without it the route is unknown there.
    UnmatchedRoute,
    /// A route can decline a request, which then goes on to another. Without it only the second route is there.
    DecliningRoutes,
    /// A layer of the framework's can catch panics outside of the tracing. Without it a panic is what it always is.
    CatchPanicLayer,
    /// Two hundred requests can be at their handlers at once. Without it eight can.
    ManyAtOnce,
    /// A handler is polled, each time in a scope of its own. Without it it runs in one scope from its start to its end.
    ScopePerPoll,
    /// A part of a body reaches the client when it is made. Without it a body is sent when all of it is there.
    Streams,
    /// It speaks HTTP/2, with prior knowledge on the port of HTTP/1. Without it such a connection brings no response.
    Http2,
    /// The message of a handler's error reaches the adapter. Without it the error log has none.
    ErrorMessage,
    /// An error can reach the tracing instead of a response. Without it the error has become a response before.
    HandlerError,
    /// The adapter knows the connection's other end. Without it there is no such tag.
    Peer,
    /// The adapter knows the server's own address. Without it there is no such tag.
    LocalAddress,
    /// The message of a handler's panic reaches the adapter. Without it the error log has none.
    PanicMessage,
    /// A connection can change its protocol. Without it there is a response like any other.
    Upgrade,
    /// A response can have trailers. Without them it is complete with its body.
    Trailers,
    /// A body that ends in an error breaks off for its client. Without it the response is complete for the client. The
    /// span ends with the error either way.
    BodyError,
    /// A body that panics breaks off for its client. Without it the response is complete for the client. The span ends
    /// with the panic either way.
    BodyPanic,
    /// The adapter knows the protocol's version. Without it there is no such tag.
    ProtocolVersion,
    /// Header values that are not ASCII reach the adapter. Without it such a header is not there, or such a request is refused.
    HeadersBeyondAscii,
    /// The authority of an HTTP/1 target in absolute form reaches the adapter where a `Host` header differs from it. Without it
    /// the host is the header's.
    AbsoluteAuthority,
    /// The authority of an HTTP/2 request reaches the adapter where a `Host` header differs from it. Without it the host is the
    /// header's.
    Http2Authority,
    /// The scheme of a target in absolute form, and of an HTTP/2 request, reaches the adapter where it is not the connection's.
    /// Without it the scheme is the connection's.
    TargetScheme,
    /// A middleware of the framework's own can stand outside of the tracing. Without it none is there.
    MiddlewareOutside,
    /// A middleware can respond instead of the handler. Without it the request goes on to its handler.
    MiddlewareThatResponds,
    /// The current span is the request's in a middleware within the tracing. Without it there is none, only the extractor's.
    CurrentSpanInMiddleware,
    /// Methods that HTTP does not know reach the handlers. Without it they are refused before any tracing.
    UnknownMethods,
    /// A known route that has no handler for the request's method has its template. Without it the request is named after its
    /// method.
    RouteOfWrongMethod,
    /// A request whose handler panicked, or was dropped, is still named after its route. Without it the name is the method.
    RouteOfDroppedRequests,
}

impl Capabilities {
    /// A framework that can do everything, writes `{id}`, drops the handlers of those who hang up, and closes the
    /// connection on a panic; to start from.
    pub const ALL: Self = Self {
        component: "",
        parameter: "{id}",
        panic: Panic::ClosesTheConnection,
        hang_up: HangUp::Cancels,
        reset: HangUp::Cancels,
        lacks: &[],
    };

    /// Returns whether the framework can do this.
    ///
    /// If not, a line is printed from which the matrix page learns that the case asserted what happens instead. Either way, a case
    /// that [fails](crate::run) names the feature.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        let has = self.declares(feature);
        if !has {
            println!("fallback\t{feature:?}");
        }
        Asked::feature(&feature, has).note();
        has
    }

    /// The same, when no running case depends on it.
    pub(crate) fn declares(&self, feature: Feature) -> bool {
        self.lacks.iter().all(|(lacking, _)| *lacking != feature)
    }

    /// What becomes of a panic in a handler; see [`has`](Self::has).
    pub(crate) fn panic(&self) -> Panic {
        const ALL: [Panic; 3] = [
            Panic::ClosesTheConnection,
            Panic::Answers500,
            Panic::Answers500Outside,
        ];
        asked("panic", self.panic, &ALL)
    }

    /// What becomes of a handler whose client closes its connection; see [`has`](Self::has).
    pub(crate) fn hang_up(&self) -> HangUp {
        asked("hang_up", self.hang_up, &HangUp::ALL)
    }

    /// What becomes of a handler whose client resets its stream; see [`has`](Self::has).
    pub(crate) fn reset(&self) -> HangUp {
        asked("reset", self.reset, &HangUp::ALL)
    }

    /// Returns a route's template as the framework writes it, or `None` if it has no routes.
    #[must_use]
    pub fn template(&self, route: &str) -> Option<String> {
        self.has(Feature::Routes)
            .then(|| route.replace("{id}", self.parameter))
    }

    /// Returns the name of the span of a request to a route.
    #[must_use]
    pub fn name(&self, method: &str, route: &str) -> String {
        match self.template(route) {
            Some(template) => format!("{method} {template}"),
            None => method.to_owned(),
        }
    }
}
