//! Lets the core read actix-web's request.

use std::net::SocketAddr;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use http::Version;
use opentracing_http::RequestView;
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::{Mark, Marked};

use crate::headers::ActixHeaders;

/// A view of the request. Its route is `Unknown`, because actix-web chooses the route only in the inner call.
pub(crate) struct Request<'r> {
    request: &'r ServiceRequest,
    headers: ActixHeaders<&'r HeaderMap>,
}

impl<'r> Request<'r> {
    pub(crate) fn new(request: &'r ServiceRequest) -> Self {
        let headers = ActixHeaders(request.headers());
        Self { request, headers }
    }
}

impl RequestView for Request<'_> {
    fn method(&self) -> &str {
        self.request.method().as_str()
    }

    fn path(&self) -> &str {
        self.request.uri().path()
    }

    fn headers(&self) -> &dyn HeaderView {
        &self.headers
    }

    fn query(&self) -> Option<&str> {
        self.request.uri().query()
    }

    fn scheme(&self) -> Option<&str> {
        // An HTTP/1 request has no scheme, but the configuration of the server contains whether it uses TLS.
        let secure = || self.request.app_config().secure().then_some("https");
        self.request.uri().scheme_str().or_else(secure)
    }

    fn authority(&self) -> Option<&str> {
        Some(self.request.uri().authority()?.as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        // Not `realip_remote_addr`, because it reads headers that any client can send.
        self.request.peer_addr()
    }

    /// The address on which the server listens: actix-web's requests do not contain that of the connection.
    fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.request.app_config().local_addr())
    }

    fn version(&self) -> Option<Version> {
        // actix-web's type is that of `http` 0.2.
        use actix_web::http::Version as Theirs;
        match self.request.version() {
            Theirs::HTTP_09 => Some(Version::HTTP_09),
            Theirs::HTTP_10 => Some(Version::HTTP_10),
            Theirs::HTTP_11 => Some(Version::HTTP_11),
            Theirs::HTTP_2 => Some(Version::HTTP_2),
            Theirs::HTTP_3 => Some(Version::HTTP_3),
            _ => None,
        }
    }

    fn has_mark(&self, mark: Mark) -> bool {
        mark.is_on(self)
    }
}

impl Marked for Request<'_> {
    fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.request.extensions_mut().insert(value);
    }

    fn contains<T: Clone + Send + Sync + 'static>(&self) -> bool {
        self.request.extensions().contains::<T>()
    }
}
