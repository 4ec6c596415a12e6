//! Views of requests and headers whose methods are foreign code, called under the policy's guard.

use std::cell::Cell;
use std::net::SocketAddr;

use http::Version;

use crate::http::{Mark, RequestView, Route};
use crate::propagation::{HeaderFilter, HeaderView};
use crate::span::Policy;

/// Headers whose methods are foreign code. If one panics, its result counts as missing, and the panic is counted.
pub(crate) struct GuardedHeaders<'v> {
    headers: &'v dyn HeaderView,
    policy: &'v Policy,
}

impl<'v> GuardedHeaders<'v> {
    /// Calls `headers` for the headers. If that panics, there are none.
    pub(crate) fn of(policy: &'v Policy, headers: impl FnOnce() -> &'v dyn HeaderView) -> Self {
        let none: &'static [(&str, &str); 0] = &[];
        let headers = policy.guard(headers).unwrap_or(none);
        Self { headers, policy }
    }
}

impl HeaderView for GuardedHeaders<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.policy.guard(|| self.headers.each_header(visit));
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.policy
            .guard(|| self.headers.header_values(name, visit));
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.policy
            .guard(|| self.headers.each_wanted_header(wanted, visit));
    }
}

/// A view whose methods are foreign code: an adapter's, or functions that an application passed to an adapter. If one panics,
/// its result counts as missing, and the panic is counted.
pub(crate) struct GuardedRequest<'v> {
    view: &'v dyn RequestView,
    policy: &'v Policy,
    peer_was_read: Cell<bool>,
}

impl<'v> GuardedRequest<'v> {
    pub(crate) fn new(view: &'v dyn RequestView, policy: &'v Policy) -> Self {
        Self {
            view,
            policy,
            peer_was_read: Cell::new(false),
        }
    }

    /// Returns `true` if the peer's address has been read.
    pub(crate) fn peer_was_read(&self) -> bool {
        self.peer_was_read.get()
    }
}

/// One guard is for the call of [`RequestView::headers`] and for that of the headers' own method.
impl HeaderView for GuardedRequest<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.policy.guard(|| self.view.headers().each_header(visit));
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.policy
            .guard(|| self.view.headers().header_values(name, visit));
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.policy
            .guard(|| self.view.headers().each_wanted_header(wanted, visit));
    }
}

impl RequestView for GuardedRequest<'_> {
    fn method(&self) -> &str {
        self.policy.guard(|| self.view.method()).unwrap_or_default()
    }

    fn path(&self) -> &str {
        self.policy.guard(|| self.view.path()).unwrap_or_default()
    }

    fn headers(&self) -> &dyn HeaderView {
        self
    }

    fn query(&self) -> Option<&str> {
        self.policy.guard(|| self.view.query()).flatten()
    }

    fn scheme(&self) -> Option<&str> {
        self.policy.guard(|| self.view.scheme()).flatten()
    }

    fn authority(&self) -> Option<&str> {
        self.policy.guard(|| self.view.authority()).flatten()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer_was_read.set(true);
        self.policy.guard(|| self.view.peer()).flatten()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.policy.guard(|| self.view.local_addr()).flatten()
    }

    fn version(&self) -> Option<Version> {
        self.policy.guard(|| self.view.version()).flatten()
    }

    fn route(&self) -> Route<'_> {
        self.policy.guard(|| self.view.route()).unwrap_or_default()
    }

    fn has_mark(&self, mark: Mark) -> bool {
        let has_mark = self.policy.guard(|| self.view.has_mark(mark));
        has_mark.unwrap_or_default()
    }
}
