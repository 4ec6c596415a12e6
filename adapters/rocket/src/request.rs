//! Lets the core read Rocket's request.

use std::cell::OnceCell;
use std::net::SocketAddr;

use opentracing_http::propagation::HeaderView;
use opentracing_http::{RequestView, Route};
use rocket::Request;
use rocket::http::HeaderMap;
use rocket::http::uri::Host;

use crate::headers::Headers;

/// A view of the request.
pub(crate) struct View<'q, 'r> {
    request: &'q Request<'r>,
    method: &'static str,
    headers: Headers<&'q HeaderMap<'r>>,
    /// Formatted at most once, from Rocket's parsed host.
    authority: OnceCell<String>,
}

impl<'q, 'r> View<'q, 'r> {
    /// Creates the view; `method` is the one that the client sent.
    pub(crate) fn new(request: &'q Request<'r>, method: &'static str) -> Self {
        Self {
            request,
            method,
            headers: Headers(request.headers()),
            authority: OnceCell::new(),
        }
    }
}

impl RequestView for View<'_, '_> {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        self.request.uri().path().as_str()
    }

    fn headers(&self) -> &dyn HeaderView {
        &self.headers
    }

    fn query(&self) -> Option<&str> {
        self.request.uri().query().map(|query| query.as_str())
    }

    /// Rocket serves either TLS or plain text, never both, so its configuration determines whether a connection has TLS.
    fn scheme(&self) -> Option<&str> {
        // Without TLS the scheme is unknown: a proxy may end it.
        let tls = self.request.rocket().config().tls_enabled();
        tls.then_some("https")
    }

    /// Rocket's host is that of the `Host` header over HTTP/1, and `:authority` over HTTP/2. So a host that differs from the
    /// header is the authority.
    fn authority(&self) -> Option<&str> {
        let host = self.request.host()?;
        let sent = self.request.headers().get_one("host");
        let sent = sent.and_then(|sent| Host::parse(sent).ok());
        let is_sent =
            sent.is_some_and(|sent| (sent.domain(), sent.port()) == (host.domain(), host.port()));
        (!is_sent).then(|| self.authority.get_or_init(|| host.to_string()).as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.request.remote()
    }

    /// The address on which Rocket listens, with the port that it was given if the configuration has port 0.
    fn local_addr(&self) -> Option<SocketAddr> {
        let config = self.request.rocket().config();
        Some(SocketAddr::new(config.address, config.port))
    }

    fn route(&self) -> Route<'_> {
        let route = self.request.route();
        route.map_or(Route::Unknown, |route| Route::Template(route.uri.path()))
    }
}
