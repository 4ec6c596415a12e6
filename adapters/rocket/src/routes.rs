//! The wrapper of single routes.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use opentracing_http::server::Instrumentation;
use opentracing_http::{Attribute, HttpTracing, SpanEnd};
use rocket::route::{BoxFuture, Handler, Outcome, Route};
use rocket::{Data, Request};

use crate::body::Unread;
use crate::response::{respond, size_is_open};
use crate::slot::{Owner, Slot, Traced};

/// Traces these routes: what `routes![]` makes, a `FileServer`, anything that can be mounted.
///
/// The request's span is the implicit current one while guards, handler, responder and response body run. Name, rank,
/// format and sentinels of the routes stay as they are.
///
/// ```
/// use opentracing_rocket::{Attribute, HttpTracing, InMemoryTracer, Span, traced};
/// use rocket::{get, routes};
///
/// #[get("/hello/<name>")]
/// fn hello(name: &str) -> String {
///     Span::current().set_tag("greets", name.to_owned());
///     format!("hello {name}")
/// }
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let rocket = rocket::build().mount("/", traced(tracing.mount_point().attributes([Attribute::URL]), routes![hello]));
/// # let _ = rocket;
/// ```
///
/// With the [fairing](crate::TracingFairing) a request still has one span: the fairing starts and ends it, the route adds
/// its attributes. Without it the span is the route's own. It then starts when the route is tried and knows nothing of
/// what happens outside of it: a `HEAD` looks like a `GET`, and of an error it has the status that the route gave, not
/// that of the catcher. Routes that pass the request on leave no span; what they set on it stays when another traced route
/// answers.
#[must_use = "routes are traced when they are mounted"]
pub fn traced(tracing: &HttpTracing, routes: impl Into<Vec<Route>>) -> TracedRoutes {
    TracedRoutes {
        instrumentation: Instrumentation::new(tracing, crate::COMPONENT),
        routes: routes.into(),
    }
}

/// The routes that [`traced`] makes; to be mounted.
#[derive(Debug, Clone)]
#[must_use = "routes are traced when they are mounted"]
pub struct TracedRoutes {
    instrumentation: Instrumentation,
    routes: Vec<Route>,
}

impl TracedRoutes {
    /// Tags these attributes as well.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.instrumentation = self.instrumentation.attributes(attributes);
        self
    }

    /// Names the spans so, instead of after method and route.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.instrumentation = self.instrumentation.name(name);
        self
    }

    /// Has the spans end at this moment, instead of the policy's.
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.instrumentation = self.instrumentation.ends(end);
        self
    }
}

impl From<TracedRoutes> for Vec<Route> {
    fn from(traced: TracedRoutes) -> Self {
        let TracedRoutes {
            instrumentation,
            mut routes,
        } = traced;
        for route in &mut routes {
            // Changed in place, because a new route would lack the sentinels of the old one.
            route.handler = Box::new(TracedHandler {
                inner: route.handler.clone(),
                instrumentation: instrumentation.clone(),
            });
        }
        routes
    }
}

#[derive(Clone)]
struct TracedHandler {
    inner: Box<dyn Handler>,
    instrumentation: Instrumentation,
}

impl Handler for TracedHandler {
    // Written out, so that the one box holds everything.
    fn handle<'r, 's, 'q, 'f>(
        &'s self,
        request: &'r Request<'q>,
        data: Data<'r>,
    ) -> BoxFuture<'f, Outcome<'r>>
    where
        Self: 'f,
        'r: 'f,
        's: 'f,
        'q: 'f,
    {
        let traced = Slot::of(request).begin_or_join(request, &self.instrumentation, Owner::Route);
        let handling = Handling {
            inner: Some(traced.scope(|| self.inner.handle(request, data))),
            traced,
        };
        Box::pin(async move {
            let outcome = handling.await;
            match traced.owner() {
                Owner::Fairing => outcome,
                Owner::Route => end(request, outcome, traced).await,
            }
        })
    }
}

/// A handler's future, polled and dropped with the request's span current.
struct Handling<'f, 'r> {
    inner: Option<BoxFuture<'f, Outcome<'r>>>,
    traced: &'f Traced,
}

impl<'r> Future for Handling<'_, 'r> {
    type Output = Outcome<'r>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<'r>> {
        let Self { inner, traced } = self.get_mut();
        let Some(future) = inner else {
            // Polled after it was ready, which is the caller's mistake.
            return Poll::Pending;
        };
        let outcome = ready!(traced.scope(|| future.as_mut().poll(cx)));
        traced.scope(|| *inner = None);
        Poll::Ready(outcome)
    }
}

impl Drop for Handling<'_, '_> {
    fn drop(&mut self) {
        let Self { inner, traced } = self;
        if inner.is_some() {
            traced.scope(|| *inner = None);
        }
    }
}

/// Ends what the route began.
async fn end<'r>(request: &'r Request<'_>, outcome: Outcome<'r>, traced: &Traced) -> Outcome<'r> {
    match outcome {
        Outcome::Success(mut response) => {
            if size_is_open(&response) {
                response.body_mut().size().await;
            }
            if let Some(span) = traced.take() {
                respond(request, &mut response, span, Unread::Complete);
            }
            Outcome::Success(response)
        }
        Outcome::Error(status) => {
            if let Some(span) = traced.take() {
                span.fail(Some(status.code), &status);
            }
            Outcome::Error(status)
        }
        Outcome::Forward(forward) => {
            traced.forward();
            Outcome::Forward(forward)
        }
    }
}
