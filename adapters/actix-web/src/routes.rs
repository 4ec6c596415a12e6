//! The routes of the app, for requests that are gone before they can be asked for theirs.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use actix_web::dev::{ResourceDef, ResourceMap, ServiceRequest};
use opentracing_http::server::RequestSpan;

/// The routes of the app that a service belongs to.
#[derive(Clone, Default)]
pub(crate) struct Routes(Rc<Known>);

#[derive(Default)]
struct Known {
    /// A copy, because the way to the app's own leads through a request.
    table: OnceCell<ResourceMap>,
    /// The patterns that were tried. actix-web's router leaks the names of a pattern that it parses, so each is parsed once.
    patterns: RefCell<HashMap<String, ResourceDef>>,
}

impl Routes {
    /// Learns the routes, once: the table is copied, what it consists of is shared.
    pub(crate) fn learn(&self, request: &ServiceRequest) {
        self.0.table.get_or_init(|| request.resource_map().clone());
    }

    /// Sets the first route that matches the path, if its first pattern does. A search, and blind for guards, so only for a
    /// request that cannot be asked any more.
    pub(crate) fn find(&self, span: &mut RequestSpan) {
        if let Some(table) = self.0.table.get() {
            span.find_route(|path| {
                let pattern = table.match_pattern(path)?;
                self.0.matches(&pattern, path).then_some(pattern)
            });
        }
    }
}

impl Known {
    fn matches(&self, pattern: &str, path: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        if let Some(parsed) = patterns.get(pattern) {
            return parsed.is_match(path);
        }
        let parsed = ResourceDef::new(pattern);
        let is_match = parsed.is_match(path);
        patterns.insert(pattern.to_owned(), parsed);
        is_match
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}
