//! The core's side of a request, called as an adapter calls it: no framework, no future, no body.

use std::any::Any;
use std::hint::black_box;
use std::net::SocketAddr;

use http::{HeaderMap, Request};
use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::server::{BodyPart, BodySize, Instrumentation, RequestSpan, ResponseView};
use opentracing_http::{HttpTracing, Route, Span};

use super::{App, Worker};
use crate::case::Case;
use crate::request::{Context, PARKED, TARGET, request};

pub(super) fn app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    Box::new(Core {
        instrumentation: tracing.map(|tracing| Instrumentation::new(tracing, "core")),
        context: case.context,
    })
}

#[derive(Clone)]
struct Core {
    instrumentation: Option<Instrumentation>,
    context: Context,
}

impl Core {
    fn begin(&self, request: &Request<()>) -> Option<RequestSpan> {
        let instrumentation = self.instrumentation.as_ref()?;
        let mut span = instrumentation.begin(request);
        // The poll that calls the handler.
        span.scope(|| {
            black_box(Span::current());
        });
        Some(span)
    }
}

impl App for Core {
    fn worker(&self) -> Box<dyn Worker> {
        Box::new(CoreWorker {
            core: self.clone(),
            requests: Vec::new(),
        })
    }

    fn serve(&self, _: usize, _: Box<dyn FnOnce(SocketAddr) + Send>) {
        unreachable!("`Target::is_served` leaves the core out")
    }
}

/// The response of every target.
struct Hello(HeaderMap);

impl ResponseView for Hello {
    fn status(&self) -> u16 {
        200
    }

    fn headers(&self) -> &dyn HeaderView {
        &self.0
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        Some(&mut self.0)
    }

    fn body_size(&self) -> BodySize {
        BodySize::Exact(5)
    }

    fn route(&self) -> Route<'_> {
        Route::Template("/users/{id}")
    }
}

struct CoreWorker {
    core: Core,
    requests: Vec<Request<()>>,
}

impl Worker for CoreWorker {
    fn prepare(&mut self, requests: u32) {
        let made = (0..requests).map(|_| request(TARGET, self.core.context));
        self.requests.extend(made);
    }

    fn run(&mut self) {
        let mut response = Hello(HeaderMap::new());
        for request in self.requests.drain(..) {
            let Some(mut span) = self.core.begin(&request) else {
                continue;
            };
            // The poll in which the handler returns.
            span.scope(|| ());
            if let Some(mut body) = span.respond(&mut response) {
                body.scope(|| ());
                body.note(BodyPart::LastData(5));
            }
        }
    }

    #[cfg(test)]
    fn response(&mut self) -> (u16, Vec<u8>) {
        self.prepare(1);
        self.run();
        (200, b"hello".to_vec())
    }

    fn park(&mut self, requests: usize) -> Box<dyn Any> {
        let mut parked = Vec::with_capacity(requests);
        parked.extend((0..requests).map(|_| {
            let request = request::<()>(PARKED, self.core.context);
            let span = self.core.begin(&request);
            (request, span)
        }));
        Box::new(parked)
    }
}
