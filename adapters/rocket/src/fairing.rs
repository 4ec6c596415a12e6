//! The fairing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use opentracing_http::server::Instrumentation;
use opentracing_http::{HttpTracing, Route};
use rocket::fairing::{Fairing, Info, Kind, Result};
use rocket::{Build, Data, Request, Response, Rocket};

use crate::body::Unread;
use crate::response::{respond, size_is_open};
use crate::slot::{Owner, Slot};

/// Traces every request, from before it is routed to the end of its body.
///
/// Attach it first: what fairings attached before it do to a request is done before its span starts. Responses it sees
/// last, whatever is attached after it, so that the span has the status that the client gets: after catchers, and 500
/// after a panic.
///
/// A fairing runs beside a request, not round it. With the fairing alone no span is the implicit current one in guards,
/// handlers and responders: there [`Span::current`](opentracing_http::Span::current) is empty, and the span is reached by
/// the guard [`CurrentSpan`](crate::CurrentSpan). Mount routes through [`traced`](crate::traced) to have both. Response
/// bodies run with the span current either way.
///
/// ```
/// use opentracing_rocket::{HttpTracing, InMemoryTracer, TracingFairing};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let rocket = rocket::build().attach(TracingFairing::new(&tracing));
/// # let _ = rocket;
/// ```
#[derive(Debug, Clone)]
pub struct TracingFairing {
    instrumentation: Instrumentation,
}

impl TracingFairing {
    /// Traces after this policy.
    #[must_use]
    pub fn new(tracing: &HttpTracing) -> Self {
        Self {
            instrumentation: Instrumentation::new(tracing, crate::COMPONENT),
        }
    }
}

/// What a fairing's method gives: boxed as rocket wants it, which for a [`Done`] takes no memory.
type Answer<'f> = Pin<Box<dyn Future<Output = ()> + Send + 'f>>;

/// A future without size that is ready.
struct Done;

impl Future for Done {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[rocket::async_trait]
impl Fairing for TracingFairing {
    fn info(&self) -> Info {
        Info {
            name: "Tracing",
            kind: Kind::Ignite | Kind::Request,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> Result {
        Ok(rocket.attach(Responses { settled: false }))
    }

    // Written out, because `async` would box a state.
    fn on_request<'s, 'q, 'r, 'd, 'e, 'f>(
        &'s self,
        request: &'q mut Request<'r>,
        _: &'d mut Data<'e>,
    ) -> Answer<'f>
    where
        Self: 'f,
        's: 'f,
        'q: 'f,
        'r: 'f,
        'd: 'f,
        'e: 'f,
    {
        Slot::of(request).begin_or_join(request, &self.instrumentation, Owner::Fairing);
        Box::pin(Done)
    }
}

/// The half that sees responses. rocket calls fairings in the order in which they were attached, for responses too.
struct Responses {
    /// Whether every fairing had its chance to attach others, as those of a "stage" do when rocket ignites.
    settled: bool,
}

#[rocket::async_trait]
impl Fairing for Responses {
    fn info(&self) -> Info {
        Info {
            name: "Tracing responses",
            kind: if self.settled {
                Kind::Response
            } else {
                Kind::Ignite
            },
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> Result {
        Ok(rocket.attach(Self { settled: true }))
    }

    fn on_response<'r, 's, 'q, 'p, 'f>(
        &'s self,
        request: &'r Request<'q>,
        response: &'p mut Response<'r>,
    ) -> Answer<'f>
    where
        Self: 'f,
        'r: 'f,
        's: 'f,
        'q: 'f,
        'p: 'f,
    {
        let traced = Slot::of(request).open();
        let Some(mut span) = traced
            .filter(|traced| traced.owner() == Owner::Fairing)
            .and_then(|traced| traced.take())
        else {
            return Box::pin(Done);
        };
        span.set_route(match request.route() {
            // After a forward this is the route that was tried last, whose status was answered.
            Some(route) => Route::Template(route.uri.path()),
            None => Route::Unmatched,
        });
        if size_is_open(response) {
            return Box::pin(async move {
                response.body_mut().size().await;
                respond(request, response, span, Unread::Abandoned);
            });
        }
        respond(request, response, span, Unread::Abandoned);
        Box::pin(Done)
    }
}
