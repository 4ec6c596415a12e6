//! The adapter, in the five steps of the guide.

use std::io::{self, Read};
use std::net::SocketAddr;

use http::HeaderName;
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::{BodySize, BodySpan, Instrumentation, ResponseView};
use opentracing_http::{RequestView, Route};

use crate::framework::{Body, Failure, Handler, Peer, Request, Response, Template};

/// What is traced.
pub(crate) struct Traced<H> {
    pub(crate) inner: H,
    pub(crate) instrumentation: Instrumentation,
}

impl<H: Handler> Handler for Traced<H> {
    fn handle(&self, mut request: Request) -> Result<Response, Failure> {
        let begun = self
            .instrumentation
            .begin_or_join(&View(&request), |mark| mark.is_on(request.extensions()));
        let Some(mut span) = begun else {
            return self.inner.handle(request);
        };
        if let Some(mark) = span.mark() {
            mark.leave(request.extensions_mut());
        }
        let answer = span.scope(|| self.inner.handle(request));
        let mut response = match answer {
            Ok(response) => response,
            Err(failure) => {
                span.fail(Some(failure.status), &failure);
                return Err(failure);
            }
        };
        span.set_route(match response.extensions().get() {
            Some(Template(template)) => Route::Template(template),
            None => Route::Unmatched,
        });
        if let Some(failure) = response.extensions().get::<Failure>() {
            span.set_error(failure);
        }
        span.write_response_headers(response.headers_mut());
        let body = span.head(&ResponseView {
            status: response.status().as_u16(),
            headers: response.headers(),
            body: BodySize::Unknown,
            upgrade: false,
        });
        Ok(match body {
            Some(span) => response.map(|inner| -> Body {
                Box::new(Followed {
                    inner: Some(inner),
                    span,
                })
            }),
            None => response,
        })
    }
}

/// The request, as the core looks at it.
struct View<'a>(&'a Request);

impl HeaderView for View<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.0.each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.0.header_values(name, visit);
    }

    fn named_header_values<'a>(&'a self, name: &HeaderName, visit: &mut dyn FnMut(&'a [u8])) {
        self.0.named_header_values(name, visit);
    }
}

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    fn authority(&self) -> Option<&str> {
        self.0.authority()
    }

    fn version(&self) -> Option<&'static str> {
        RequestView::version(self.0)
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.extensions().get().map(|Peer(peer)| *peer)
    }

    fn route(&self) -> Route<'_> {
        // Known within the router only; outside it is told by the response.
        match self.0.extensions().get() {
            Some(Template(template)) => Route::Template(template),
            None => Route::Unknown,
        }
    }
}

struct Followed {
    /// Dropped within the span's scope.
    inner: Option<Body>,
    span: BodySpan,
}

impl Drop for Followed {
    fn drop(&mut self) {
        let Self { inner, span } = self;
        span.scope(|| *inner = None);
    }
}

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { inner, span } = self;
        let Some(inner) = inner else { return Ok(0) };
        let read = span.scope(|| inner.read(buffer));
        match &read {
            Ok(0) if !buffer.is_empty() => span.end(),
            Ok(count) => span.sent(*count),
            Err(error) => span.fail(error),
        }
        read
    }
}
