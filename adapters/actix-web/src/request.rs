//! What the core reads of actix-web's request.

use std::net::SocketAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::Version;
use opentracing_http::RequestView;
use opentracing_http::propagation::{HeaderFilter, HeaderView};

use crate::headers::Headers;

/// A view of the request. Its route is unknown: actix-web chooses it only in the inner call.
pub(crate) struct Request<'a>(pub(crate) &'a ServiceRequest);

impl Request<'_> {
    fn headers(&self) -> Headers<'_> {
        Headers(self.0.headers())
    }
}

impl RequestView for Request<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    fn scheme(&self) -> Option<&str> {
        // HTTP/1 requests do not say, but the server knows whether it speaks TLS.
        let secure = || self.0.app_config().secure().then_some("https");
        self.0.uri().scheme_str().or_else(secure)
    }

    fn authority(&self) -> Option<&str> {
        Some(self.0.uri().authority()?.as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        // Not `realip_remote_addr`: a client can write into it whatever it likes.
        self.0.peer_addr()
    }

    fn version(&self) -> Option<&'static str> {
        match self.0.version() {
            Version::HTTP_09 => Some("0.9"),
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            Version::HTTP_3 => Some("3"),
            _ => None,
        }
    }
}

impl HeaderView for Request<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.headers().visit(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers().visit_values(name, visit);
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.headers().first(name)
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.headers().visit_wanted(wanted, visit);
    }
}
