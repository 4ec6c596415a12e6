//! Lets the core read a request in a traced filter.

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

/// Facts about a request that `warp::trace` does not provide.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    peer: Option<SocketAddr>,
    query: Option<String>,
    /// Set only if there is no `Host` header, as in HTTP/2. If both exist, warp's filter compares them: it returns neither if they
    /// differ, and nothing new if they are equal.
    authority: Option<Authority>,
    /// Set if a tower layer outside of warp traces the request.
    traced: Option<Traced>,
}

thread_local! {
    static HANDED_OVER: Cell<Option<Facts>> = const { Cell::new(None) };
}

impl Facts {
    /// Returns the filter that collects the facts for the traced filter that follows it. The facts are passed on in a
    /// thread-local, because warp creates the future of the next filter immediately after this one is ready, on the same thread.
    pub(crate) fn hand_over()
    -> impl Filter<Extract = (), Error = Infallible> + Copy + Send + Sync + 'static {
        let query = warp::query::raw()
            .map(Some)
            .or_else(|_| ready(Ok::<_, Infallible>((None,))));
        // `warp::host` is not used if there is a `Host` header, because it rejects a request whose header is no valid authority.
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
                // It fails only while the thread ends, and then no request begins.
                let _ = HANDED_OVER.try_with(|handed_over| handed_over.set(Some(facts)));
            })
            .untuple_one()
    }

    /// Returns the facts that were handed over, and removes them from the thread-local.
    pub(crate) fn handed_over() -> Self {
        let facts = HANDED_OVER.try_with(Cell::take);
        facts.ok().flatten().unwrap_or_default()
    }
}

/// Identifies a request among those whose filters this thread has entered.
///
/// Filters cannot mark a request, but they cannot change it either. While warp tries filters on a request, its path and headers
/// stay at their addresses in memory, and a request that a handler creates meanwhile has other addresses. The path `/` is the same
/// static text in all requests, so the address of the first header is compared as well.
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

/// A view of the request: the parts that warp's wrapping filters provide, and the facts that they do not provide.
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

    /// Returns the same for every mark, because filters cannot mark a request. Without marks, a traced filter joins the innermost
    /// request that this thread has entered.
    fn has_mark(&self, _: Mark) -> bool {
        self.facts.traced.is_some() || bridge::has_begun(self.identity())
    }
}
