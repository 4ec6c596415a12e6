//! The application that every adapter serves for the kit.
//!
//! Each case brings its handler, which the application [runs](App::play) on `/play`. The other routes show something of the
//! framework's own:
//!
//! | route | behaviour |
//! |---|---|
//! | any method of `/play` | [`App::play`] |
//! | any method of `/` | the same |
//! | `GET /items/{id}` | the id |
//! | `GET /nested/items/{id}` | the same, through the framework's own nesting |
//! | `GET /extracted` | the span as the adapter's extractor gives it, made text by [`injected_by`] |
//! | `POST /echo` | reads the body to its end, and returns it |
//! | `GET /error` | the framework's own error type with the message [`ERROR`], which becomes a 503 |
//! | `GET /failed` | the framework's own way for an error with the message [`ERROR`] to reach the tracing instead of a response, which becomes a 503 outside of it; the same as `/error` if there is none, or if every error of a handler is an `Err` |
//! | `GET /rewritten` | a 404 of the framework's own, which its own means (a catcher, `recover`, an error handler) make a 418, within the tracing |
//! | `GET /declined/{id}` | a first route that declines, then a second that returns the id |
//! | `GET /upgrade` | 101 to a websocket, on which [`GREETING`] is sent at once |
//! | `GET /chosen` | [`App::play`], traced at the route, with the attributes of [`chosen`] |
//! | `GET /named` | [`App::play`], traced at the route, with the name [`NAMED`] and the end [`SpanEnd::Head`](opentracing_http::SpanEnd::Head) |
//! | `GET /scope/chosen` | [`App::play`], traced at the route as above, and at the scope round it, with those of [`chosen_by_scope`] |
//!
//! Every route with `GET` has `HEAD` as well. The response to `HEAD` has no body, also on the routes for any method, where some
//! frameworks leave that to the handler.
//!
//! The adapter's tracing wraps everything, if [`App::everywhere`] returns a policy. One middleware of the framework's own stands
//! within it, one outside; see [`App::before`]. An error of a handler that reaches a middleware as an `Err` is passed on as it is.
//!
//! Where every error of a handler is an `Err`, `/error` decides: both routes return the same `Err`, and
//! [`HandlerError`](crate::server::Feature::HandlerError) is declared as lacking. The outermost mount point
//! [responds](opentracing_http::server::RequestSpan::respond) with the response that the framework makes of the error, and the
//! outcome is [`Completed`](opentracing_http::Outcome::Completed).
//!
//! [`application_is_right_untraced`](crate::server::cases::application_is_right_untraced) checks all of this without any tracing.

mod gate;
mod reply;

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use opentracing_http::{Attribute, HttpTracing, Span};

pub use self::gate::{Gate, Passage};
pub use self::reply::{Body, Broken, Chunk, Chunks, Reply};

/// The message of `/error` and `/failed`.
pub const ERROR: &str = "not ready";

/// The name of the spans of the route `/named`.
pub const NAMED: &str = "a name of its own";

/// The websocket frame that `/upgrade` sends: the text `hi`.
pub const GREETING: [u8; 4] = [0x81, 2, b'h', b'i'];

/// What a [`Server`](crate::server::Server) is started with.
#[derive(Clone)]
pub struct App {
    pub(crate) tracing: Option<HttpTracing>,
    pub(crate) everywhere: bool,
    pub(crate) catch_panics: bool,
    pub(crate) handler: Handler,
    pub(crate) middleware: Option<Middleware>,
}

pub(crate) type Handler = Arc<dyn Fn(&str) -> Playing + Send + Sync>;
pub(crate) type Middleware = Arc<dyn Fn(Position, Option<u16>) -> Option<u16> + Send + Sync>;

/// The future of a handler.
pub type Playing = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// The position of a middleware of the framework's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Within the tracing of the whole application, round all handlers.
    Inside,
    /// Outside of it.
    Outside,
}

impl App {
    /// Returns the policy that everything is traced with; `None` if only single routes are traced, or nothing is.
    #[must_use]
    pub fn everywhere(&self) -> Option<&HttpTracing> {
        self.tracing.as_ref().filter(|_| self.everywhere)
    }

    /// Returns the policy that the mount points `/chosen`, `/named` and `/scope` are traced with; `None` if nothing is traced.
    #[must_use]
    pub fn mount_points(&self) -> Option<&HttpTracing> {
        self.tracing.as_ref()
    }

    /// Returns whether the framework's own layer that catches panics, if there is one, wraps the tracing: see
    /// [`Feature::CatchPanicLayer`](crate::server::Feature::CatchPanicLayer).
    #[must_use]
    pub fn catches_panics(&self) -> bool {
        self.catch_panics
    }

    /// Runs the case's handler. `query` is the request's, without the question mark; empty if there is none.
    #[must_use]
    pub fn play(&self, query: &str) -> Playing {
        (self.handler)(query)
    }

    /// The middleware at this position calls this before it calls what it wraps. If this returns a status, the middleware responds
    /// with that status and an empty body, if it can (see
    /// [`Feature::MiddlewareThatResponds`](crate::server::Feature::MiddlewareThatResponds)), and calls neither what it wraps nor
    /// [`after`](Self::after).
    #[must_use]
    pub fn before(&self, position: Position) -> Option<u16> {
        self.middleware
            .as_ref()
            .and_then(|middleware| middleware(position, None))
    }

    /// The middleware at this position calls this with the status of the response that came from what it wraps. Returns the status
    /// to send. It need not be called for an `Err`.
    #[must_use]
    pub fn after(&self, position: Position, status: u16) -> u16 {
        self.middleware
            .as_ref()
            .and_then(|middleware| middleware(position, Some(status)))
            .unwrap_or(status)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("tracing", &self.tracing)
            .field("everywhere", &self.everywhere)
            .field("catch_panics", &self.catch_panics)
            .finish_non_exhaustive()
    }
}

/// Returns the attributes of `/chosen`, besides the policy's.
#[must_use]
pub fn chosen() -> [Attribute; 2] {
    [
        Attribute::URL,
        Attribute::header(http::HeaderName::from_static("x-request-id")),
    ]
}

/// Returns the attributes of the scope round `/scope/chosen`.
#[must_use]
pub fn chosen_by_scope() -> [Attribute; 2] {
    [
        Attribute::QUERY,
        Attribute::response_header(http::HeaderName::from_static("x-cache")),
    ]
}

/// Returns what the current span injects; see [`injected_by`].
#[must_use]
pub fn injected() -> String {
    injected_by(&Span::current())
}

/// Returns what a span injects, a line for each header; `none` if there is no span.
#[must_use]
pub fn injected_by(span: &Span) -> String {
    if span.is_none() {
        return "none\n".to_owned();
    }
    let mut lines = Vec::new();
    span.inject(&mut |name: &str, value: &str| lines.push(format!("{name}: {value}\n")));
    lines.concat()
}

/// Runs a future to its end on this thread, for frameworks that block.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Returns a future that is pending once: the executor can run another task, or go on on another thread.
pub fn turn() -> impl Future<Output = ()> + Send + Sync {
    let mut polled = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
