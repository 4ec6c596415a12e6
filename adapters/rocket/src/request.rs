//! The view of rocket's request.

use std::cell::OnceCell;
use std::net::SocketAddr;

use opentracing_http::propagation::HeaderView;
use opentracing_http::{RequestView, Route};
use rocket::Request;
use rocket::http::uri::Host;

use crate::headers::Headers;

/// A request, as the core reads it.
pub(crate) struct View<'q, 'r> {
    request: &'q Request<'r>,
    headers: Headers<&'q rocket::http::HeaderMap<'r>>,
    method: &'static str,
    /// Written out where only the parsed host is known, as in HTTP/2.
    authority: OnceCell<String>,
}

impl<'q, 'r> View<'q, 'r> {
    /// `method` is the one that the request came with: rocket turns a `HEAD` into a `GET` when it looks for a route.
    pub(crate) fn new(request: &'q Request<'r>, method: &'static str) -> Self {
        Self {
            request,
            headers: Headers(request.headers()),
            method,
            authority: OnceCell::new(),
        }
    }
}

impl HeaderView for View<'_, '_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.headers.each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers.header_values(name, visit);
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.headers.header(name)
    }
}

impl RequestView for View<'_, '_> {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        self.request.uri().path().as_str()
    }

    fn query(&self) -> Option<&str> {
        self.request.uri().query().map(|query| query.as_str())
    }

    /// rocket serves either TLS or plain text, never both.
    fn scheme(&self) -> Option<&str> {
        let tls = self.request.rocket().config().tls_enabled();
        Some(if tls { "https" } else { "http" })
    }

    /// rocket's host is `:authority` over HTTP/2, and made of the `Host` header else: what differs from that is the authority.
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

    fn route(&self) -> Route<'_> {
        self.request
            .route()
            .map_or(Route::Unknown, |route| Route::Template(route.uri.path()))
    }
}
