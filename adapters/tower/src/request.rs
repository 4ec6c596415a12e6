//! The view of a request that passes through a tower service.

use std::fmt;
use std::net::SocketAddr;

use http::{Request, Version};
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::Mark;
use opentracing_http::{RequestView, Route};

/// How a framework on tower leaves what it knows in a request's extensions.
///
/// The default knows nothing, which is right for plain hyper and tonic services.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Extensions {
    /// The framework's name, for the tag `component`. Default `tower`.
    pub component: &'static str,
    /// The route that was chosen.
    pub route: for<'a> fn(&'a http::Extensions) -> Route<'a>,
    /// The path as the client sent it, where the framework takes away what it has matched. The default is the request's.
    pub path: for<'a> fn(&'a http::Extensions) -> Option<&'a str>,
    /// The address of the connection's other end. The default finds a [`SocketAddr`] that stands there by itself.
    pub peer: fn(&http::Extensions) -> Option<SocketAddr>,
    /// Whether [`Traced`](crate::Traced) is left in them. Default `false`.
    pub leaves_traced: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            component: "tower",
            route: |_| Route::Unknown,
            path: |_| None,
            peer: |extensions| extensions.get().copied(),
            leaves_traced: false,
        }
    }
}

impl Extensions {
    /// The default, for the framework of this name.
    #[must_use]
    pub fn of(component: &'static str) -> Self {
        Self {
            component,
            ..Self::default()
        }
    }

    /// Finds the route so.
    #[must_use]
    pub fn route(mut self, route: for<'a> fn(&'a http::Extensions) -> Route<'a>) -> Self {
        self.route = route;
        self
    }

    /// Finds the path so.
    #[must_use]
    pub fn path(mut self, path: for<'a> fn(&'a http::Extensions) -> Option<&'a str>) -> Self {
        self.path = path;
        self
    }

    /// Finds the peer's address so.
    #[must_use]
    pub fn peer(mut self, peer: fn(&http::Extensions) -> Option<SocketAddr>) -> Self {
        self.peer = peer;
        self
    }
}

impl Extensions {
    /// Leaves [`Traced`](crate::Traced) in the extensions of requests that have their span.
    #[must_use]
    pub fn leaving_traced(mut self) -> Self {
        self.leaves_traced = true;
        self
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("component", &self.component)
            .finish_non_exhaustive()
    }
}

/// A request, and how to read its extensions.
pub(crate) struct View<'r, B> {
    pub(crate) request: &'r Request<B>,
    pub(crate) extensions: Extensions,
}

impl<B> RequestView for View<'_, B> {
    fn method(&self) -> &str {
        RequestView::method(self.request)
    }

    fn path(&self) -> &str {
        (self.extensions.path)(self.request.extensions()).unwrap_or_else(|| self.request.path())
    }

    fn headers(&self) -> &dyn HeaderView {
        self.request.headers()
    }

    fn query(&self) -> Option<&str> {
        self.request.query()
    }

    fn scheme(&self) -> Option<&str> {
        self.request.scheme()
    }

    fn authority(&self) -> Option<&str> {
        self.request.authority()
    }

    fn peer(&self) -> Option<SocketAddr> {
        (self.extensions.peer)(self.request.extensions())
    }

    fn version(&self) -> Option<Version> {
        Some(self.request.version())
    }

    fn route(&self) -> Route<'_> {
        (self.extensions.route)(self.request.extensions())
    }

    fn has_mark(&self, mark: Mark) -> bool {
        self.request.has_mark(mark)
    }
}
