//! Routes that are traced one by one.

use opentracing_http::MountPoint;
use opentracing_http::server::{InRequest, Instrumentation};
use rocket::futures::FutureExt as _;
use rocket::route::{BoxFuture, Handler, Outcome, Route};
use rocket::{Data, Request};

use crate::dispatch::Dispatch;
use crate::sentinel;

/// Traces these routes: what `routes![]` makes, a `FileServer`, anything that can be mounted.
///
/// In them the request's span is the current one: while guards, handler and responder run. Name, rank, format and sentinels of
/// the routes stay as they are.
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
/// The [fairing](crate::TracingFairing) starts and ends the span, by its own policy. The routes add the options of their mount
/// point: attributes, name, end. If they were given another policy than the fairing, that one's settings are not used.
///
/// # Launch
///
/// Rocket refuses to launch traced routes without a fairing: [`launch`](rocket::Rocket::launch), [`ignite`](rocket::Rocket::ignite)
/// and the local clients return [`SentinelAborts`](rocket::error::ErrorKind::SentinelAborts), and the line to add is logged as an error.
/// Rocket takes a [`Sentinel`](rocket::Sentinel) only together with a route, so one route is added to those that are given:
/// `CONNECT /`, which passes every request on. If that route is taken out of the list, the launch is not refused, and without a
/// fairing nothing is traced.
#[must_use = "routes are traced when they are mounted"]
pub fn traced(mount_point: impl Into<MountPoint>, routes: impl Into<Vec<Route>>) -> Vec<Route> {
    let instrumentation = Instrumentation::new(mount_point, crate::COMPONENT);
    let mut routes = routes.into();
    for route in &mut routes {
        // Changed in place, because a new route would lack the sentinels of the old one.
        route.handler = Box::new(TracedHandler {
            inner: route.handler.clone(),
            instrumentation: instrumentation.clone(),
        });
    }
    routes.push(sentinel::route());
    routes
}

#[derive(Clone)]
struct TracedHandler {
    inner: Box<dyn Handler>,
    instrumentation: Instrumentation,
}

impl Handler for TracedHandler {
    // Written out, so that one box holds everything.
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
