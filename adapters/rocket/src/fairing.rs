//! The fairing.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use opentracing_http::MountPoint;
use opentracing_http::server::Instrumentation;
use rocket::fairing::{Fairing, Info, Kind, Result};
use rocket::futures::future::BoxFuture;
use rocket::{Build, Data, Orbit, Request, Response, Rocket};

use crate::dispatch::Dispatch;
use crate::response::{has_unknown_size, respond};
use crate::untraced;

/// Traces requests to the end of their response bodies: [all requests](Self::new), or only those that reach a
/// [traced](crate::traced) route ([`only_traced_routes`](Self::only_traced_routes)).
///
/// Attach it first. Fairings that are attached before it run before the span starts. It sees the response after all other
/// fairings and after the catchers, so the span has the status that the client gets, which is 500 after a panic.
///
/// Rocket calls a fairing before and after the handler, not around it. So with the fairing alone
/// [`Span::current`](opentracing_http::Span::current) is empty in guards, handlers and responders. They get the span with the
/// guard [`CurrentSpan`](crate::CurrentSpan). In routes that are mounted through [`traced`](crate::traced) both work. In response
/// bodies the span is always current.
///
/// So a fairing that traces every request logs a warning when Rocket lifts off while routes are mounted without `traced`. It names
/// the first ten. With [`only_traced_routes`](Self::only_traced_routes) such routes are a choice, and nothing is logged.
///
/// ```
/// use opentracing_rocket::{HttpTracing, InMemoryTracer, TracingFairing};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let rocket = rocket::build().attach(TracingFairing::new(&tracing));
/// # let _ = rocket;
/// ```
///
/// If several fairings are attached, the first begins the span, and the others add the options of their mount points.
#[derive(Debug, Clone)]
pub struct TracingFairing {
    instrumentation: Instrumentation,
    only_traced_routes: bool,
    part: Part,
}

/// The task of a fairing. Rocket calls fairings in the order in which they were attached, also for responses. So a separate
/// fairing sees the responses, and is attached last.
#[derive(Debug, Clone, Copy)]
enum Part {
    Requests,
    /// Attaches the fairing for responses when Rocket ignites, after other fairings (such as `AdHoc` stages) have attached theirs.
    Last,
    Responses,
}

impl TracingFairing {
    /// Creates the fairing that traces every request, also one that no route matches.
    ///
    /// Takes the policy (`&tracing`), or the policy with [options](opentracing_http::HttpTracing::mount_point) for all requests.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>) -> Self {
        Self {
            instrumentation: Instrumentation::new(mount_point, crate::COMPONENT),
            only_traced_routes: false,
            part: Part::Requests,
        }
    }

    /// Creates the fairing that traces only requests to [traced](crate::traced) routes.
    ///
    /// A span starts when the first traced route is tried, after all request fairings. If that route forwards the request, the
    /// span stays open. Another traced route then uses the same span. If an untraced route responds, the span is discarded:
    /// the sampler and the `on_start` callbacks have seen it, but the tracer does not get it. A request that reaches no traced
    /// route is not sampled.
    ///
    /// ```
    /// use opentracing_rocket::{HttpTracing, InMemoryTracer, TracingFairing, traced};
    /// use rocket::local::blocking::Client;
    /// use rocket::{get, routes};
    ///
    /// #[get("/checkout")]
    /// fn checkout() -> &'static str {
    ///     "thanks"
    /// }
    ///
    /// #[get("/health")]
    /// fn health() -> &'static str {
    ///     "up"
    /// }
    ///
    /// let tracer = InMemoryTracer::new();
    /// let tracing = HttpTracing::new(tracer.clone());
    /// let rocket = rocket::build()
    ///     .attach(TracingFairing::only_traced_routes(&tracing))
    ///     .mount("/", traced(&tracing, routes![checkout]))
    ///     .mount("/", routes![health]);
    ///
    /// let client = Client::untracked(rocket).unwrap();
    /// for path in ["/checkout", "/health", "/none"] {
    ///     client.get(path).dispatch().into_bytes();
    /// }
    /// let names: Vec<_> = tracer.finished().iter().map(|span| span.name().to_owned()).collect();
    /// assert_eq!(names, ["GET /checkout"]);
    /// ```
    #[must_use]
    pub fn only_traced_routes(mount_point: impl Into<MountPoint>) -> Self {
        Self {
            only_traced_routes: true,
            ..Self::new(mount_point)
        }
    }
}

/// Rocket's managed state while a fairing is attached. Traced routes begin requests with its policy.
pub(crate) struct Attached {
    pub(crate) instrumentation: Instrumentation,
    /// Whether the untraced routes have been logged.
    warned: AtomicBool,
}

/// Returns a future that is ready. It has no size, so its box is not allocated; that of an `async` block would be.
fn done<'f>() -> BoxFuture<'f, ()> {
    Box::pin(poll_fn(|_| Poll::Ready(())))
}

#[rocket::async_trait]
impl Fairing for TracingFairing {
    fn info(&self) -> Info {
        let (name, kind) = match self.part {
            Part::Requests => ("Tracing", Kind::Ignite | Kind::Liftoff | Kind::Request),
            Part::Last => ("Tracing: last", Kind::Ignite),
            Part::Responses => ("Tracing: responses", Kind::Response),
        };
        Info { name, kind }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> Result {
        let rocket = match rocket.state::<Attached>() {
            Some(_) => rocket,
            None => rocket.manage(Attached {
                instrumentation: self.instrumentation.clone(),
                warned: AtomicBool::new(false),
            }),
        };
        let part = match self.part {
            Part::Requests => Part::Last,
            Part::Last | Part::Responses => Part::Responses,
        };
        Ok(rocket.attach(Self {
            part,
            ..self.clone()
        }))
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(attached) = rocket.state::<Attached>() else {
            return;
        };
        if !self.only_traced_routes && !attached.warned.swap(true, Ordering::Relaxed) {
            untraced::warn(rocket);
        }
    }

    fn on_request<'s, 'q, 'r, 'd, 'e, 'f>(
        &'s self,
        request: &'q mut Request<'r>,
        _: &'d mut Data<'e>,
    ) -> BoxFuture<'f, ()>
    where
        Self: 'f,
        's: 'f,
        'q: 'f,
        'r: 'f,
        'd: 'f,
        'e: 'f,
    {
        let dispatch = Dispatch::start(request);
        if !self.only_traced_routes {
            dispatch.begin(request, &self.instrumentation);
        }
        done()
    }

    fn on_response<'r, 's, 'q, 'p, 'f>(
        &'s self,
        request: &'r Request<'q>,
        response: &'p mut Response<'r>,
    ) -> BoxFuture<'f, ()>
    where
        Self: 'f,
        'r: 'f,
        's: 'f,
        'q: 'f,
        'p: 'f,
    {
        let Some(span) = Dispatch::of(request).take(request) else {
            return done();
        };
        if has_unknown_size(response) {
            return Box::pin(async move {
                // Rocket determines the size as well, but only after the response fairings.
                response.body_mut().size().await;
                respond(request, response, span);
            });
        }
        respond(request, response, span);
        done()
    }
}
