//! The routes of the app. Spans are named after them.
//!
//! A resource may have several patterns, as in `web::resource(["/users", "/users/{id}"])`. actix-web returns the first of
//! them for every request to the resource, so a pattern is used only after it was compared with the request's path.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::dev::{ResourceDef, ResourceMap, ServiceRequest};
use opentracing_http::server::RequestSpan;

use crate::patterns;

/// The routes of the app that a service belongs to.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// A copy, because the app's own table can be reached only through a request.
    table: OnceCell<ResourceMap>,
    /// The patterns that were compared. actix-web leaks the names of each pattern that it parses, so each is parsed once.
    parsed: RefCell<HashMap<String, ResourceDef>>,
}

impl Routes {
    /// Copies the app's table of routes at the first call. The copy is shallow: the routes themselves are shared.
    pub(crate) fn learn(&self, request: &ServiceRequest) {
        self.table.get_or_init(|| request.resource_map().clone());
    }

    /// Returns the pattern that matched a request, including the prefixes of its scopes. Returns `None` if none matched.
    ///
    /// Call it after the request was routed; before that it would search the whole route table.
    ///
    /// If the matching pattern is not the resource's first one, it is composed from the captured values. It then lacks the regular
    /// expressions that follow the names.
    pub(crate) fn template_of(&self, request: &HttpRequest) -> Option<String> {
        let pattern = request.match_pattern()?;
        let captured = request.match_info();
        if patterns::yields(&pattern, captured) == Some(true) {
            return Some(pattern);
        }
        match captured.unprocessed() {
            // The router has processed the whole path, so another pattern of the resource matched.
            "" => Some(patterns::template(captured)),
            // The router has found no route because guards refused the request. actix-web found the pattern by the path alone.
            _ => self
                .is_match(&pattern, captured.as_str())
                .then_some(pattern),
        }
    }

    /// Sets the route of a request that has no response: the first route that matches the path, if its first pattern matches.
    ///
    /// Guards are not called, because the request does not exist any more. So the result may be another route with the same path.
    pub(crate) fn find(&self, span: &mut RequestSpan) {
        if let Some(table) = self.table.get() {
            span.find_route(|path| {
                let pattern = table.match_pattern(path)?;
                self.is_match(&pattern, path).then_some(pattern)
            });
        }
    }

    fn is_match(&self, pattern: &str, path: &str) -> bool {
        let parse = || ResourceDef::new(patterns::with_distinct_names(pattern));
        let mut parsed = self.parsed.borrow_mut();
        let parsed = parsed.entry(pattern.to_owned()).or_insert_with(parse);
        parsed.is_match(path)
    }
}
