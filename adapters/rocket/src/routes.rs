//! Traced routes.

use std::cell::Cell;

use opentracing_http::MountPoint;
use opentracing_http::server::{InRequest, Instrumentation};
use rocket::futures::FutureExt as _;
use rocket::route::{BoxFuture, Handler, Outcome, Route};
use rocket::{Data, Request};

use crate::dispatch::Dispatch;
use crate::sentinel;

/// Returns these routes, traced. They can come from `routes![]`, a `FileServer`, or anything else that can be mounted.
///
/// The request's span is current while their guards, handlers and responders run. The routes keep their names, ranks, formats and
/// sentinels.
///
/// ```
/// use opentracing_rocket::{Attribute, HttpTracing, InMemoryTracer, Span, TracingFairing, traced};
/// use rocket::{get, routes};
///
/// #[get("/hello/<name>")]
/// fn hello(name: &str) -> String {
///     Span::current().set_tag("greets", name.to_owned());
///     format!("hello {name}")
/// }
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let with_url = tracing.mount_point().attributes([Attribute::URL]);
/// let rocket = rocket::build()
///     .attach(TracingFairing::new(&tracing))
///     .mount("/", traced(with_url, routes![hello]));
/// # let _ = rocket;
/// ```
///
/// The [fairing](crate::TracingFairing) starts and ends the span, with its own policy. The routes add only the options of their
/// mount point: attributes, name, end. If `traced` gets another policy than the fairing, the settings of that policy are not used.
///
/// # Launch
///
/// Rocket does not launch traced routes without a fairing. [`launch`](rocket::Rocket::launch), [`ignite`](rocket::Rocket::ignite)
/// and the local clients return [`SentinelAborts`](rocket::error::ErrorKind::SentinelAborts), and the missing line is logged as an
/// error.
///
/// Rocket accepts a [`Sentinel`](rocket::Sentinel) only as part of a route. So the list contains one more route, `CONNECT /`, which
/// forwards every request. If that route is removed from the list and there is no fairing, Rocket launches and traces nothing.
#[must_use = "routes are traced when they are mounted"]
pub fn traced(mount_point: impl Into<MountPoint>, routes: impl Into<Vec<Route>>) -> Vec<Route> {
    let instrumentation = Instrumentation::new(mount_point, crate::COMPONENT);
    let mut routes = routes.into();
    for route in &mut routes {
        // The route is changed, not replaced, because a new one would lack the sentinels.
        route.handler = Box::new(TracedHandler {
            inner: route.handler.clone(),
            instrumentation: instrumentation.clone(),
        });
    }
    routes.push(sentinel::route());
    routes
}

struct TracedHandler {
    inner: Box<dyn Handler>,
    instrumentation: Instrumentation,
}

impl Clone for TracedHandler {
    fn clone(&self) -> Self {
        CLONED_TRACED.set(true);
        Self {
            inner: self.inner.clone(),
            instrumentation: self.instrumentation.clone(),
        }
    }
}

thread_local! {
    /// Whether this thread has cloned a traced handler since the flag was cleared.
    static CLONED_TRACED: Cell<bool> = const { Cell::new(false) };
}

/// Returns `true` if the route was mounted through [`traced`], also if something else wraps its handler.
///
/// A handler's type is hidden, so it is cloned: a traced handler sets a flag then.
pub(crate) fn is_traced(route: &Route) -> bool {
    CLONED_TRACED.set(false);
    drop(route.handler.clone());
    CLONED_TRACED.get()
}

impl Handler for TracedHandler {
    // Written without `async_trait`, so that there is one box instead of two.
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
        let handle = || self.inner.handle(request, data);
        match Dispatch::of(request).join(request, &self.instrumentation) {
            Some(span) => Box::pin(InRequest::new(span, handle).map(|(outcome, _)| outcome)),
            None => handle(),
        }
    }
}
