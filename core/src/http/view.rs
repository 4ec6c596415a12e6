//! What the core reads of a framework's request.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, Version, header, request};

use crate::propagation::{HeaderFilter, HeaderView};

/// Borrowed access to a framework's request: what the core reads of it, and all an adapter has to make readable.
///
/// Implemented for [`http::Request`] of any body and for [`http::request::Parts`]; adapters of other frameworks wrap a
/// reference to their own request, so that nothing is converted or copied.
pub trait RequestView: HeaderView {
    /// The method, as it came.
    fn method(&self) -> &str;

    /// The path, as it came: neither decoded nor normalised, without the query.
    fn path(&self) -> &str;

    /// The query, without the question mark.
    fn query(&self) -> Option<&str> {
        None
    }

    /// The scheme, where it is known; `http` is assumed where it is not.
    fn scheme(&self) -> Option<&str> {
        None
    }

    /// The authority of the request's target: of one in absolute form (RFC 9112, section 3.2.2), or `:authority` of HTTP/2
    /// and HTTP/3 (RFC 9113, section 8.3.1). Not known by default.
    fn authority(&self) -> Option<&str> {
        None
    }

    /// The address of the connection's other end; not known by default.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// The HTTP version: `1.0`, `1.1`, `2` or `3`; not known by default.
    fn version(&self) -> Option<&'static str> {
        None
    }

    /// The route that the framework chose, as far as it is known by now. Asked only for recorded requests.
    fn route(&self) -> Route<'_> {
        Route::Unknown
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
        let named = || std::str::from_utf8(host_header(self)?).ok();
        self.authority().or_else(named)
    }
}

/// The one `Host` header; `None` where several name one.
pub(crate) fn host_header<V: HeaderView + ?Sized>(headers: &V) -> Option<&[u8]> {
    let (mut host, mut count) = (None, 0_usize);
    headers.named_header_values(&header::HOST, &mut |value| {
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

impl<B> HeaderView for http::Request<B> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.headers().each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers().header_values(name, visit);
    }

    fn named_header_values<'a>(&'a self, name: &HeaderName, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers().named_header_values(name, visit);
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.headers().each_wanted_header(wanted, visit);
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        HeaderView::header(self.headers(), name)
    }
}

impl<B> RequestView for http::Request<B> {
    fn method(&self) -> &str {
        Self::method(self).as_str()
    }

    fn path(&self) -> &str {
        self.uri().path()
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

    fn version(&self) -> Option<&'static str> {
        version(Self::version(self))
    }
}

impl HeaderView for request::Parts {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.headers.each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers.header_values(name, visit);
    }

    fn named_header_values<'a>(&'a self, name: &HeaderName, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers.named_header_values(name, visit);
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.headers.each_wanted_header(wanted, visit);
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        HeaderView::header(&self.headers, name)
    }
}

impl RequestView for request::Parts {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.uri.path()
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

    fn version(&self) -> Option<&'static str> {
        version(self.version)
    }
}

fn version(version: Version) -> Option<&'static str> {
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

/// What the core reads of a framework's response, before its body is sent.
#[derive(Clone, Copy)]
pub struct ResponseView<'a> {
    /// The status that the client will get.
    pub status: u16,
    /// The headers.
    pub headers: &'a dyn HeaderView,
    /// How much body there is.
    pub body: BodySize,
    /// Whether the connection changes its protocol where the status does not say so (rocket sets 101 later).
    pub upgrade: bool,
}

impl std::fmt::Debug for ResponseView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseView")
            .field("status", &self.status)
            .field("body", &self.body)
            .field("upgrade", &self.upgrade)
            .finish_non_exhaustive()
    }
}

/// How much body a response has, as far as its framework knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// None: nothing will be polled.
    Empty,
    /// This many bytes.
    Exact(u64),
    /// A stream whose end is not known yet.
    Unknown,
}
