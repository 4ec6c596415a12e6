//! A request as its adapter shows it, read under the policy's guard.

use std::net::SocketAddr;

use http::HeaderName;

use crate::http::{RequestView, Route};
use crate::propagation::{HeaderFilter, HeaderView};
use crate::span::Policy;

/// A view whose methods may be anybody's: an adapter's, or functions that an application gave to one. A panic in one is
/// counted, and loses what that one would have returned.
pub(crate) struct Guarded<'v, V: ?Sized> {
    view: &'v V,
    policy: &'v Policy,
}

impl<'v, V: ?Sized> Guarded<'v, V> {
    pub(crate) fn new(view: &'v V, policy: &'v Policy) -> Self {
        Self { view, policy }
    }
}

impl<V: HeaderView + ?Sized> HeaderView for Guarded<'_, V> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.policy.guard(|| self.view.each_header(visit));
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.policy.guard(|| self.view.header_values(name, visit));
    }

    fn named_header_values<'a>(&'a self, name: &HeaderName, visit: &mut dyn FnMut(&'a [u8])) {
        let view = self.view;
        self.policy.guard(|| view.named_header_values(name, visit));
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.policy.guard(|| self.view.header(name)).flatten()
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.policy
            .guard(|| self.view.each_wanted_header(wanted, visit));
    }
}

impl RequestView for Guarded<'_, dyn RequestView + '_> {
    fn method(&self) -> &str {
        self.policy.guard(|| self.view.method()).unwrap_or_default()
    }

    fn path(&self) -> &str {
        self.policy.guard(|| self.view.path()).unwrap_or_default()
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
        self.policy.guard(|| self.view.peer()).flatten()
    }

    fn version(&self) -> Option<&'static str> {
        self.policy.guard(|| self.view.version()).flatten()
    }

    fn route(&self) -> Route<'_> {
        self.policy.guard(|| self.view.route()).unwrap_or_default()
    }
}
