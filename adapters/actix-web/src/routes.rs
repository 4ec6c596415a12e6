//! The routes of the app, for requests that are gone before they can be asked for theirs.

use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::dev::{ResourceMap, ServiceRequest};
use opentracing_http::RequestSpan;

use crate::patterns;

/// The routes of the app that a service belongs to: a copy, because the way to them leads through a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(Rc<OnceCell<ResourceMap>>);

impl Routes {
    /// Learns the routes, once: its table is copied, what it consists of is shared.
    pub(crate) fn learn(&self, request: &ServiceRequest) {
        self.0.get_or_init(|| request.resource_map().clone());
    }

    /// Notes the first route that matches the path, if its first pattern does. A search, and blind for guards, so only for a
    /// request that cannot be asked any more.
    pub(crate) fn find(&self, span: &mut RequestSpan) {
        if let Some(routes) = self.0.get() {
            span.find_route(|path| {
                let pattern = routes.match_pattern(path)?;
                patterns::fits(&pattern, path).then_some(pattern)
            });
        }
    }
}
