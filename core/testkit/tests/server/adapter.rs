//! The adapter, in the three steps of the guide: begin, run, respond.

use std::fmt::Display;
use std::io::{self, Read};
use std::net::SocketAddr;

use http::Version;
use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::server::{BodyPart, FollowedBody, Instrumentation, Mark, ResponseView};
use opentracing_http::{MountPoint, RequestView, Route};

use crate::framework::{Body, Failure, Handler, Peer, Request, Response, Template};

/// A handler, traced.
pub(crate) struct Traced<H> {
    inner: H,
    instrumentation: Instrumentation,
}

impl<H> Traced<H> {
    pub(crate) fn new(mount_point: impl Into<MountPoint>, inner: H) -> Self {
        let instrumentation = Instrumentation::new(mount_point, "blocking");
        Self {
            inner,
            instrumentation,
        }
    }
}

impl<H: Handler> Handler for Traced<H> {
    fn handle(&self, mut request: Request) -> Result<Response, Failure> {
        let mut span = self.instrumentation.begin(&RequestOf(&request));
        span.leave_mark(request.extensions_mut());
        match span.scope(|| self.inner.handle(request)) {
            Ok(mut response) => {
                let span = span.respond(&mut ResponseOf(&mut response));
                Ok(
                    response
                        .map(|body| Box::new(TracedBody(FollowedBody::new(body, span))) as Body),
                )
            }
            Err(failure) => {
                span.fail(Some(failure.status), &failure);
                Err(failure)
            }
        }
    }
}

/// A request as the core reads it.
struct RequestOf<'a>(&'a Request);

impl RequestView for RequestOf<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    fn scheme(&self) -> Option<&str> {
        self.0.uri().scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        self.0.authority()
    }

    fn version(&self) -> Option<Version> {
        Some(self.0.version())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.extensions().get().map(|Peer(peer)| *peer)
    }

    fn route(&self) -> Route<'_> {
        // Known within the router only; outside of it the response has it.
        match self.0.extensions().get() {
            Some(Template(template)) => Route::Template(template),
            None => Route::Unknown,
        }
    }

    fn has_mark(&self, mark: Mark) -> bool {
        self.0.has_mark(mark)
    }
}

/// A response as the core reads it.
struct ResponseOf<'a>(&'a mut Response);

impl ResponseView for ResponseOf<'_> {
    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        Some(self.0.headers_mut())
    }

    fn route(&self) -> Route<'_> {
        match self.0.extensions().get() {
            Some(Template(template)) => Route::Template(template),
            None => Route::Unmatched,
        }
    }

    fn error(&self) -> Option<&dyn Display> {
        Some(self.0.extensions().get::<Failure>()?)
    }
}

/// A body that is followed to its end.
struct TracedBody(FollowedBody<Body>);

impl Read for TracedBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let asked = !buffer.is_empty();
        let read = self.0.run(
            |body| body.read(buffer),
            |read, _| match read {
                Ok(0) if asked => BodyPart::End,
                Ok(bytes) => BodyPart::Data(*bytes),
                Err(error) => BodyPart::Error(error),
            },
        );
        read.unwrap_or(Ok(0))
    }
}
