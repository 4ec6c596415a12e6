//! The view of a request that passes through a tower service.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;

use http::{Extensions, Request, Version};
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::Mark;
use opentracing_http::{RequestView, Route};

/// How to read a framework's facts about a request from its extensions. Adapters of frameworks that use tower implement it.
///
/// The functions may be called several times for one request.
///
/// ```
/// use std::net::SocketAddr;
///
/// use http::Extensions;
/// use opentracing_tower::{Framework, HttpTracing, InMemoryTracer, Route, TracingLayer};
///
/// /// The template of the chosen route, which the framework keeps in the extensions.
/// #[derive(Clone)]
/// struct Template(String);
///
/// /// The path as the client sent it, before nested routers shortened it.
/// #[derive(Clone)]
/// struct OriginalPath(String);
///
/// /// The address that the framework's server inserts.
/// #[derive(Clone)]
/// struct Peer(SocketAddr);
///
/// #[derive(Debug, Clone)]
/// enum MyFramework {}
///
/// impl Framework for MyFramework {
///     const COMPONENT: &'static str = "my-framework";
///
///     fn route(extensions: &Extensions) -> Route<'_> {
///         extensions.get().map_or(Route::Unknown, |Template(template)| Route::Template(template))
///     }
///
///     fn path(extensions: &Extensions) -> Option<&str> {
///         extensions.get().map(|OriginalPath(path)| path.as_str())
///     }
///
///     const PEER_REMEDY: &'static str = "serve the app with `my_framework::serve_with_peers`";
///
///     fn peer(extensions: &Extensions) -> Option<SocketAddr> {
///         extensions.get().map(|Peer(address)| *address)
///     }
///
///     /// Its routers insert the original path into each request.
///     fn route_remedy(extensions: &Extensions) -> Option<&'static str> {
///         let is_routed = extensions.get::<OriginalPath>().is_some();
///         (!is_routed).then_some("add the layer to the router, not around it")
///     }
///
///     fn local_addr(_: &Extensions) -> Option<SocketAddr> {
///         None // this framework does not know it
///     }
/// }
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let layer = TracingLayer::<MyFramework>::for_framework(&tracing);
/// # let _ = layer;
/// ```
pub trait Framework: Clone + fmt::Debug {
    /// The framework's name, the value of the tag `component`.
    const COMPONENT: &'static str;

    /// Whether a layer inserts [`Traced`](crate::Traced) into the extensions, in addition to its mark. The default is `false`.
    const LEAVES_TRACED: bool = false;

    /// What a service has to change if [`peer`](Self::peer) returns `None` and the policy needs the address:
    /// [`Diagnostic::PeerUnknown`](opentracing_http::Diagnostic::PeerUnknown) shows it. The default is for the default of `peer`.
    const PEER_REMEDY: &'static str = "insert the connection's `SocketAddr` into the extensions of each request, outside of the tracing layer; with tonic, use a \
         `Framework` that reads `TcpConnectInfo`, as in the documentation of opentracing-tower";

    /// Returns what a service has to change if no router of the framework has seen the request before the layer: if the response
    /// comes while the route is still unknown, [`Diagnostic::RouteUnknown`](opentracing_http::Diagnostic::RouteUnknown) shows
    /// it. The default is `None`: the framework has no routes, or its routers leave no trace. See [`Framework`] for an example.
    #[must_use]
    fn route_remedy(extensions: &Extensions) -> Option<&'static str> {
        let _ = extensions;
        None
    }

    /// Returns the route that the framework has chosen. The default is [`Route::Unknown`].
    #[must_use]
    fn route(extensions: &Extensions) -> Route<'_> {
        let _ = extensions;
        Route::Unknown
    }

    /// Returns the path that the client sent, for frameworks whose routers remove the matched part from the request's path. The
    /// default is `None`: the request's path is used.
    #[must_use]
    fn path(extensions: &Extensions) -> Option<&str> {
        let _ = extensions;
        None
    }

    /// Returns the address of the connection's peer. The default is the [`SocketAddr`] in the extensions, if there is one.
    #[must_use]
    fn peer(extensions: &Extensions) -> Option<SocketAddr> {
        extensions.get().copied()
    }

    /// Returns the server's address of the connection. The default is the [`LocalAddr`] in the extensions, if there is one.
    #[must_use]
    fn local_addr(extensions: &Extensions) -> Option<SocketAddr> {
        extensions.get().map(|LocalAddr(address)| *address)
    }
}

/// The server's address of a request's connection. A server, or a layer outside of the tracing, inserts it into the request's
/// extensions, so that the attributes [`LOCAL_ADDRESS`](opentracing_http::Attribute::LOCAL_ADDRESS) and
/// [`LOCAL_PORT`](opentracing_http::Attribute::LOCAL_PORT) have values.
///
/// ```
/// use opentracing_tower::LocalAddr;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(LocalAddr(([192, 0, 2, 80], 8080).into()));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LocalAddr(pub SocketAddr);

/// The [`Framework`] of services that use no framework, such as those of hyper and tonic.
#[derive(Debug, Clone)]
pub enum Tower {}

impl Framework for Tower {
    const COMPONENT: &'static str = "tower";
}

/// A request, with the framework that it belongs to.
pub(crate) struct View<'r, B, F>(pub(crate) &'r Request<B>, pub(crate) PhantomData<F>);

impl<B, F: Framework> RequestView for View<'_, B, F> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        F::path(self.0.extensions()).unwrap_or_else(|| self.0.uri().path())
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

    fn peer(&self) -> Option<SocketAddr> {
        F::peer(self.0.extensions())
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        F::local_addr(self.0.extensions())
    }

    fn version(&self) -> Option<Version> {
        Some(self.0.version())
    }

    fn route(&self) -> Route<'_> {
        F::route(self.0.extensions())
    }

    fn has_mark(&self, mark: Mark) -> bool {
        self.0.has_mark(mark)
    }
}
