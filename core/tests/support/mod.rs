//! Helpers for tests that drive a request as an adapter does.

#![allow(dead_code, reason = "each test uses a part of it")]

use http::{HeaderMap, Request};
use opentracing_http::RequestView;
use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::server::{BodySize, Mark, ResponseView};

/// A response with a status, headers and the size of a body.
pub(crate) struct Response<'h> {
    pub(crate) status: u16,
    pub(crate) headers: &'h mut HeaderMap,
    pub(crate) body: BodySize,
    pub(crate) upgrade: bool,
}

impl ResponseView for Response<'_> {
    fn status(&self) -> u16 {
        self.status
    }

    fn headers(&self) -> &dyn HeaderView {
        self.headers
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        Some(self.headers)
    }

    fn body_size(&self) -> BodySize {
        self.body
    }

    fn is_upgrade(&self) -> bool {
        self.upgrade
    }
}

/// A response without headers.
pub(crate) struct Bare {
    pub(crate) status: u16,
    pub(crate) body: BodySize,
}

impl ResponseView for Bare {
    fn status(&self) -> u16 {
        self.status
    }

    fn headers(&self) -> &dyn HeaderView {
        const NONE: &[(&str, &str); 0] = &[];
        NONE
    }

    fn body_size(&self) -> BodySize {
        self.body
    }
}

/// A request that has the mark of every request in whose scope the thread is.
pub(crate) struct Marked<'r>(pub(crate) &'r Request<()>);

impl RequestView for Marked<'_> {
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

    fn has_mark(&self, _: Mark) -> bool {
        true
    }
}
