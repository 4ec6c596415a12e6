//! Read access to a framework's request.

use std::net::{IpAddr, SocketAddr};

use http::{Version, header, request};

use crate::http::mark::Mark;
use crate::propagation::HeaderView;

/// Borrowed access to everything that the core reads of a framework's request.
///
/// Implemented for [`http::Request`] of any body and for [`http::request::Parts`]. An adapter of another framework wraps a
/// reference to its own request, so that nothing is converted or copied:
///
/// ```
/// use opentracing_http::RequestView;
/// use opentracing_http::propagation::HeaderView;
///
/// /// A framework's request.
/// struct Request {
///     verb: String,
///     target: String,
///     headers: Vec<(String, String)>,
/// }
///
/// struct View<'r>(&'r Request);
///
/// impl RequestView for View<'_> {
///     fn method(&self) -> &str {
///         &self.0.verb
///     }
///     fn path(&self) -> &str {
///         self.0.target.split('?').next().unwrap_or_default()
///     }
///     fn query(&self) -> Option<&str> {
///         Some(self.0.target.split_once('?')?.1)
///     }
///     fn headers(&self) -> &dyn HeaderView {
///         &self.0.headers
///     }
/// }
///
/// let request = Request {
///     verb: "GET".to_owned(),
///     target: "/users?page=2".to_owned(),
///     headers: vec![("host".to_owned(), "example.com".to_owned())],
/// };
/// let view: &dyn RequestView = &View(&request);
/// assert_eq!((view.path(), view.query(), view.host()), ("/users", Some("page=2"), Some("example.com")));
/// ```
///
/// All methods are called on the thread that begins the request, before its handler runs. If a method panics, its result counts
/// as missing, and [`caught_panics`](crate::HttpTracing::caught_panics) counts the panic.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no request that can be traced",
    label = "not a view of a request",
    note = "pass an `http::Request`, or implement `RequestView` for a type that wraps a reference to your framework's request: only `method`, `path` and `headers` have to be written"
)]
pub trait RequestView {
    /// Returns the method as the client sent it. See [`RequestView`] for an example.
    fn method(&self) -> &str;

    /// Returns the path as the client sent it, without the query: neither decoded nor normalised. See [`RequestView`] for an
    /// example.
    fn path(&self) -> &str;

    /// Returns the headers. See [`RequestView`] for an example.
    fn headers(&self) -> &dyn HeaderView;

    /// Returns the query, without the question mark. The default is `None`. See [`RequestView`] for an example.
    fn query(&self) -> Option<&str> {
        None
    }

    /// Returns the scheme of the request's target: of a target in absolute form, or `:scheme` of HTTP/2 and HTTP/3. If the target
    /// has none, returns `https` for a connection that is known to have TLS. See [`peer`](Self::peer) for an example.
    ///
    /// The default is `None`, unknown: URLs are then recorded with the [policy's scheme](crate::HttpTracingBuilder::scheme), or
    /// with `http`.
    fn scheme(&self) -> Option<&str> {
        None
    }

    /// Returns the authority of the request's target: of a target in absolute form (RFC 9112, section 3.2.2), or `:authority`
    /// of HTTP/2 and HTTP/3 (RFC 9113, section 8.3.1). The default is `None`, unknown. See [`peer`](Self::peer) for an example.
    fn authority(&self) -> Option<&str> {
        None
    }

    /// Returns the address of the peer of the connection. The default is `None`, unknown.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use http::Version;
    /// use opentracing_http::propagation::HeaderView;
    /// use opentracing_http::server::{Instrumentation, Mark};
    /// use opentracing_http::{HttpTracing, InMemoryTracer, RequestView, Route};
    ///
    /// /// A request, and what the framework knows of its connection and its route.
    /// struct View<'r> {
    ///     request: &'r http::Request<()>,
    ///     peer: SocketAddr,
    ///     local: SocketAddr,
    ///     template: Option<&'r str>,
    /// }
    ///
    /// impl RequestView for View<'_> {
    ///     fn method(&self) -> &str {
    ///         self.request.method().as_str()
    ///     }
    ///     fn path(&self) -> &str {
    ///         self.request.uri().path()
    ///     }
    ///     fn headers(&self) -> &dyn HeaderView {
    ///         self.request.headers()
    ///     }
    ///     fn scheme(&self) -> Option<&str> {
    ///         Some("https")
    ///     }
    ///     fn authority(&self) -> Option<&str> {
    ///         Some(self.request.uri().authority()?.as_str())
    ///     }
    ///     fn peer(&self) -> Option<SocketAddr> {
    ///         Some(self.peer)
    ///     }
    ///     fn local_addr(&self) -> Option<SocketAddr> {
    ///         Some(self.local)
    ///     }
    ///     fn version(&self) -> Option<Version> {
    ///         Some(self.request.version())
    ///     }
    ///     fn route(&self) -> Route<'_> {
    ///         self.template.map_or(Route::Unmatched, Route::Template)
    ///     }
    ///     fn has_mark(&self, mark: Mark) -> bool {
    ///         mark.is_on(self.request.extensions())
    ///     }
    /// }
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let request = http::Request::get("/users/7").body(()).unwrap();
    /// let peer = ([192, 0, 2, 1], 50_000).into();
    /// let local = ([192, 0, 2, 80], 8080).into();
    /// let view = View { request: &request, peer, local, template: Some("/users/{id}") };
    /// let span = instrumentation.begin(&view);
    /// drop(span.respond(&mut http::StatusCode::OK));
    /// assert_eq!(tracer.finished()[0].name(), "GET /users/{id}");
    /// ```
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the server's own address of the connection, or else the address on which the server listens. The default is `None`,
    /// unknown. See [`peer`](Self::peer) for an example.
    ///
    /// Called for requests that are recorded, if one of the attributes is made from it.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the HTTP version. The default is `None`, unknown. See [`peer`](Self::peer) for an example.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Returns the route that the framework has chosen for the request. The default is [`Route::Unknown`]: not chosen yet. See
    /// [`peer`](Self::peer) for an example.
    ///
    /// Called for requests that are recorded, and for all requests if the policy has a finish callback.
    fn route(&self) -> Route<'_> {
        Route::Unknown
    }

    /// Returns `true` if an outer mount point has [stored](crate::server::RequestSpan::leave_mark) this mark with the request: it
    /// has begun the request then. The default is `false`. See [`peer`](Self::peer) for an example.
    fn has_mark(&self, mark: Mark) -> bool {
        let _ = mark;
        false
    }
}

impl dyn RequestView + '_ {
    /// Returns the host that the client requested, with its port if it has one, as the client sent it: the
    /// [`authority`](RequestView::authority), else the value of the `Host` header. Returns `None` if there are several `Host`
    /// headers. See [`RequestView`] for an example.
    ///
    /// The text is not checked. A span shows it without user information, and only if the rest is a host with or without a port:
    ///  `uri-host [ ":" port ]` (RFC 9110, section 7.2), not empty, without a comma, the port empty or from 0
    /// to 65535.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let named = || std::str::from_utf8(host_header(self.headers())?).ok();
        self.authority().or_else(named)
    }

    /// Returns the first value of a header. The case of the name does not matter.
    ///
    /// ```
    /// use opentracing_http::RequestView;
    ///
    /// let request = http::Request::get("/").header("x-team", "blue").body(()).unwrap();
    /// let view: &dyn RequestView = &request;
    /// assert_eq!(view.header("X-Team"), Some(&b"blue"[..]));
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().header(name)
    }
}

/// Returns the value of the `Host` header; `None` if there are several such headers.
pub(crate) fn host_header(headers: &dyn HeaderView) -> Option<&[u8]> {
    let (mut host, mut count) = (None, 0_usize);
    headers.header_values(header::HOST.as_str(), &mut |value| {
        host = Some(value);
        count += 1;
    });
    host.filter(|_| count == 1)
}

/// The route of a request, as far as the framework knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Route<'a> {
    /// The framework has no routes, or has not chosen one yet. The default.
    #[default]
    Unknown,
    /// No route matched.
    Unmatched,
    /// The template of the route that matched, such as `/users/{id}`.
    Template(&'a str),
}

impl<B> RequestView for http::Request<B> {
    fn method(&self) -> &str {
        Self::method(self).as_str()
    }

    fn path(&self) -> &str {
        self.uri().path()
    }

    fn headers(&self) -> &dyn HeaderView {
        Self::headers(self)
    }

    fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    fn scheme(&self) -> Option<&str> {
        self.uri().scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        Some(self.uri().authority()?.as_str())
    }

    fn version(&self) -> Option<Version> {
        Some(Self::version(self))
    }

    fn has_mark(&self, mark: Mark) -> bool {
        mark.is_on(self.extensions())
    }
}

impl RequestView for request::Parts {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn headers(&self) -> &dyn HeaderView {
        &self.headers
    }

    fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn scheme(&self) -> Option<&str> {
        self.uri.scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        Some(self.uri.authority()?.as_str())
    }

    fn version(&self) -> Option<Version> {
        Some(self.version)
    }

    fn has_mark(&self, mark: Mark) -> bool {
        mark.is_on(&self.extensions)
    }
}

/// Returns the version as OpenTelemetry's attribute `network.protocol.version` shows it: without `HTTP/`.
pub(crate) fn version_number(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// Returns the address, as an IPv4 address if it is one that an IPv6 socket reports (`::ffff:192.0.2.1`).
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => SocketAddr::from((address, peer.port())),
        IpAddr::V6(_) => peer,
    }
}
