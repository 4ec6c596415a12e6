//! The routes of the app, by which spans are named.
//!
//! A resource may have several patterns, as in `web::resource(["/users", "/users/{id}"])`. actix-web returns the first of
//! them for every request to the resource, so each is compared with the request before it names anything.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::dev::{ResourceDef, ResourceMap, ServiceRequest};
use opentracing_http::server::RequestSpan;

use crate::patterns;

/// The routes of the app that a service belongs to.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// A copy, because the way to the app's own leads through a request.
    table: OnceCell<ResourceMap>,
    /// The patterns that were tried. actix-web's router leaks the names of a pattern that it parses, so each is parsed once.
    parsed: RefCell<HashMap<String, ResourceDef>>,
}

impl Routes {
    /// Learns the routes, once: the table is copied, what it consists of is shared.
    pub(crate) fn learn(&self, request: &ServiceRequest) {
        self.table.get_or_init(|| request.resource_map().clone());
    }

    /// Returns the pattern that matched a request, all scopes included; `None` if none did. Call it after the request was
    /// routed: before that it would search the whole route table.
    ///
    /// If it is not the resource's first pattern it is put together from what the router captured, so it lacks the regular
    /// expressions that follow the names.
    pub(crate) fn template_of(&self, request: &HttpRequest) -> Option<String> {
        let pattern = request.match_pattern()?;
        let captured = request.match_info();
        if patterns::yields(&pattern, captured) == Some(true) {
            return Some(pattern);
        }
        match captured.unprocessed() {
            // The router has gone to the end of the path: another pattern of the resource matched.
            "" => Some(patterns::template(captured)),
            // The router has found nothing, and the pattern stems from a search by the path: guards refuse the request.
            _ => self
                .is_match(&pattern, captured.as_str())
                .then_some(pattern),
        }
    }

    /// Sets the first route that matches the path, if its first pattern does. It is a search that does not ask guards, so only
    /// for a request that is gone.
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
