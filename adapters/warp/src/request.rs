//! The view of a request that passes through a traced filter.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Version};
use opentracing_http::RequestView;
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::Mark;
use opentracing_tower::Traced;
use warp::Filter;

use crate::bridge;

/// What `warp::trace` does not show of a request.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    peer: Option<SocketAddr>,
    query: Option<String>,
    /// Only where there is no `Host` header, as in HTTP/2. Where the two differ, warp's filter shows neither; where they are
    /// the same, it parses the header for nothing.
    authority: Option<Authority>,
    /// Left by a tower layer outside of warp that traces the request.
    traced: Option<Traced>,
}

thread_local! {
    static HANDED_OVER: Cell<Option<Facts>> = const { Cell::new(None) };
}

impl Facts {
    /// Returns the filter that collects the facts for the traced filter that follows it: warp asks that one for its future
    /// right after this one is ready, on the same thread.
    pub(crate) fn hand_over()
    -> impl Filter<Extract = (), Error = Infallible> + Copy + Send + Sync + 'static {
        let query = warp::query::raw()
            .map(Some)
            .or_else(|_| ready(Ok::<_, Infallible>((None,))));
        // Where there is a `Host` header, `warp::host` would parse it, and reject the request if it is no authority.
        let authority = warp::header::value("host")
            .map(|_| None)
            .or(warp::host::optional())
            .unify()
            .or_else(|_| ready(Ok::<_, Infallible>((None,))));
        warp::addr::remote()
            .and(query)
            .and(authority)
            .and(warp::ext::optional())
            .map(|peer, query, authority, traced| {
                let facts = Self {
                    peer,
                    query,
                    authority,
                    traced,
                };
                // Where the thread ends, no request begins.
                let _ = HANDED_OVER.try_with(|handed_over| handed_over.set(Some(facts)));
            })
            .untuple_one()
    }

    /// Takes the facts that were handed over.
    pub(crate) fn handed_over() -> Self {
        let facts = HANDED_OVER.try_with(Cell::take);
        facts.ok().flatten().unwrap_or_default()
    }
}

/// Which request this is, among those whose filters this thread is in.
///
/// Filters cannot mark a request, but they cannot change it either: as long as warp tries filters on it, its path and its
/// headers stay where they are in memory, and those of a request that a handler makes meanwhile are elsewhere. The path `/` is
/// the same static text in all requests; there the first header tells them apart.
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

/// A request as warp's wrapping filters show it, and the facts that they do not show.
pub(crate) struct View<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) facts: &'a Facts,
}

impl View<'_> {
    pub(crate) fn identity(&self) -> Identity {
        Identity::of(self.path, self.headers)
    }
}

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.path
    }

    fn headers(&self) -> &dyn HeaderView {
        self.headers
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

    fn version(&self) -> Option<Version> {
        Some(self.version)
    }

    /// Filters cannot leave a mark, so this is the same for every mark: of the requests in whose scopes this thread is, the
    /// innermost is joined.
    fn has_mark(&self, _: Mark) -> bool {
        self.facts.traced.is_some() || bridge::has_begun(self.identity())
    }
}
