//! What the core reads of a framework's request.

use std::net::{IpAddr, SocketAddr};

use http::{Version, header, request};

use crate::http::mark::Mark;
use crate::propagation::HeaderView;

/// Borrowed access to a framework's request: all that the core reads of it.
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
/// A method may panic: what it would have returned is then missing, and the panic is [counted](crate::HttpTracing::caught_panics).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no request that can be traced",
    label = "not a view of a request",
    note = "pass an `http::Request`, or implement `RequestView` for a type that wraps a reference to your framework's request: only `method`, `path` and `headers` have to be written"
)]
pub trait RequestView {
    /// Returns the method, as it came.
    fn method(&self) -> &str;

    /// Returns the path, as it came: neither decoded nor normalised, without the query.
    fn path(&self) -> &str;

    /// Returns the headers.
    fn headers(&self) -> &dyn HeaderView;

    /// Returns the query, without the question mark. The default is none.
    fn query(&self) -> Option<&str> {
        None
    }

    /// Returns the scheme of the request's target: of one in absolute form, or `:scheme` of HTTP/2 and HTTP/3; else `https` on a
    /// connection with TLS, and `http` on one without. The default is unknown; `http` is assumed where it is not known.
    fn scheme(&self) -> Option<&str> {
        None
    }

    /// Returns the authority of the request's target: of one in absolute form (RFC 9112, section 3.2.2), or `:authority` of
    /// HTTP/2 and HTTP/3 (RFC 9113, section 8.3.1). The default is unknown.
    fn authority(&self) -> Option<&str> {
        None
    }

    /// Returns the address of the connection's other end. The default is unknown.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the HTTP version. The default is unknown.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Returns the route that the framework has chosen, if it has chosen one by now. Called for recorded requests, and for
    /// those with a finish callback.
    fn route(&self) -> Route<'_> {
        Route::Unknown
    }

    /// Returns whether this mark was [left](crate::server::RequestSpan::leave_mark) with the request: an outer mount point has
    /// begun it then. The default is `false`.
    fn has_mark(&self, mark: Mark) -> bool {
        let _ = mark;
        false
    }
}

impl dyn RequestView + '_ {
    /// Returns the host that the client asked for, with its port, as it came: the [`authority`](RequestView::authority), else the
    /// one `Host` header. There is no host where several such headers name one.
    ///
    /// The text may be anything. On a span it appears without user information, and only if the rest is a host with or
    /// without a port: `uri-host [ ":" port ]` (RFC 9110, section 7.2), not empty, without a comma, the port empty or from 0
    /// to 65535.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let named = || std::str::from_utf8(host_header(self.headers())?).ok();
        self.authority().or_else(named)
    }

    /// Returns the first value of a header, whatever the name's case.
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

/// The one `Host` header; `None` where several name one.
pub(crate) fn host_header(headers: &dyn HeaderView) -> Option<&[u8]> {
    let (mut host, mut count) = (None, 0_usize);
    headers.header_values(header::HOST.as_str(), &mut |value| {
        host = Some(value);
        count += 1;
    });
    host.filter(|_| count == 1)
}

/// What a framework knows of a request's route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Route<'a> {
    /// The framework has no routes, or has not chosen one yet.
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

/// The version as attributes show it (OpenTelemetry's `network.protocol.version`): without `HTTP/`.
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

/// An IPv4 address that came over an IPv6 socket is an IPv4 address.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => SocketAddr::from((address, peer.port())),
        IpAddr::V6(_) => peer,
    }
}
