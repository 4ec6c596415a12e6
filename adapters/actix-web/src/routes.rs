//! The routes of the app, for requests that are gone before they can be asked for theirs.

use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::dev::{ResourceDef, ResourceMap, ServiceRequest};
use opentracing_http::RequestSpan;

/// The routes of the app that a service belongs to: a copy, because the way to them leads through a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(Rc<OnceCell<ResourceMap>>);

impl Routes {
    /// Learns the routes, once: its table is copied, what it consists of is shared.
    pub(crate) fn learn(&self, request: &ServiceRequest) {
        self.0.get_or_init(|| request.resource_map().clone());
    }

    /// Sets the first route that matches the path, if its first pattern does: a search, blind for guards, that parses a
    /// pattern, so only for a request that cannot be asked any more.
    pub(crate) fn find(&self, span: &mut RequestSpan) {
        if let Some(routes) = self.0.get() {
            span.find_route(|path| {
                let pattern = routes.match_pattern(path)?;
                let is_its = ResourceDef::new(&*pattern).is_match(path);
                is_its.then_some(pattern)
            });
        }
    }
}
