//! The view of a request that passes through a traced filter.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use opentracing_http::RequestView;
use opentracing_http::propagation::{HeaderFilter, HeaderView};
use warp::Filter;

/// What `warp::trace` does not show of a request.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    peer: Option<SocketAddr>,
    query: Option<String>,
    /// Only where there is no `Host`, as in HTTP/2: where they differ warp's filter shows neither, and where they do not it
    /// parses the header for nothing.
    authority: Option<Authority>,
    /// Whether a tower layer outside of warp traces the request.
    pub(crate) marked: bool,
}

/// Which request this is, among those whose filters this thread is in.
///
/// Filters cannot mark a request, but they cannot change it either: as long as warp tries filters on it, its path and its
/// headers stay where they are in memory, and those of a request that a handler makes meanwhile are elsewhere. The path `/`
/// is the same static text in all; then the headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    path: usize,
    first_header: Option<usize>,
}

impl Identity {
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        Self {
            path: path.as_ptr().addr(),
            first_header: (headers.values().next())
                .map(|value| std::ptr::from_ref::<HeaderValue>(value).addr()),
        }
    }
}

thread_local! {
    static HANDED_OVER: Cell<Option<Facts>> = const { Cell::new(None) };
}

/// Collects the [`Facts`] for the traced filter that comes next in the chain: warp asks that one for its future right
/// after this one is ready, on the same thread.
pub(crate) fn hand_over()
-> impl Filter<Extract = (), Error = Infallible> + Clone + Send + Sync + 'static {
    let query = warp::query::raw()
        .map(Some)
        .or_else(|_| ready(Ok::<_, Infallible>((None,))));
    // The `host` filter would parse the header anew, and rejects what it dislikes.
    let authority = warp::header::value("host")
        .map(|_| None)
        .or(warp::host::optional())
        .unify()
        .or_else(|_| ready(Ok::<_, Infallible>((None,))));
    warp::addr::remote()
        .and(query)
        .and(authority)
        .and(warp::ext::optional())
        .map(
            |peer, query, authority, mark: Option<opentracing_tower::Traced>| {
                let facts = Facts {
                    peer,
                    query,
                    authority,
                    marked: mark.is_some(),
                };
                // Where the thread ends there is no request to come.
                let _ = HANDED_OVER.try_with(|handed_over| handed_over.set(Some(facts)));
            },
        )
        .untuple_one()
}

/// Takes what was handed over.
pub(crate) fn handed_over() -> Facts {
    HANDED_OVER
        .try_with(Cell::take)
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// A request as warp's wrapping filters show it, and the facts that they do not show.
pub(crate) struct View<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) facts: &'a Facts,
}

impl HeaderView for View<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.headers.each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers.header_values(name, visit);
    }

    fn named_header_values<'a>(&'a self, name: &HeaderName, visit: &mut dyn FnMut(&'a [u8])) {
        self.headers.named_header_values(name, visit);
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.headers.header(name)
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.headers.each_wanted_header(wanted, visit);
    }
}

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.path
    }

    fn query(&self) -> Option<&str> {
        self.facts.query.as_deref()
    }

    fn authority(&self) -> Option<&str> {
        Some(self.facts.authority.as_ref()?.as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.facts.peer
    }

    fn version(&self) -> Option<&'static str> {
        match self.version {
            Version::HTTP_10 => Some("1.0"),
            Version::HTTP_11 => Some("1.1"),
            Version::HTTP_2 => Some("2"),
            _ => None,
        }
    }
}
