//! The warning about routes that are mounted without `traced`.

use std::fmt::Write as _;

use rocket::http::Method;
use rocket::{Orbit, Rocket, Route};

use crate::routes::is_traced;

/// The number of routes that the warning names.
const NAMED: usize = 10;

/// Logs one warning that names the routes in which no span is current, if there are any.
pub(crate) fn warn(rocket: &Rocket<Orbit>) {
    // Rocket rejects `CONNECT` requests before it looks for a route. The sentinel's route is one of these.
    let reachable = rocket
        .routes()
        .filter(|route| route.method != Method::Connect);
    let untraced: Vec<_> = reachable.filter(|route| !is_traced(route)).collect();
    let Some(names) = names(&untraced) else {
        return;
    };
    log::warn!(
        "Routes mounted without `traced`: {names}. Their requests have spans, but no current span in guards, handlers and \
         responders: child spans, tags and the headers of outgoing calls are lost where `Span::current()` is used. \
         Mount them with `traced(&tracing, routes![..])`, or use the guard `CurrentSpan` only."
    );
}

/// Returns the routes as `<method> <path> (<name>)`, the first ten, with the number of the others. `None` if there are none.
fn names(routes: &[&Route]) -> Option<String> {
    let mut names = String::new();
    for route in routes.iter().take(NAMED) {
        let separator = if names.is_empty() { "" } else { ", " };
        let _ = write!(names, "{separator}{} {}", route.method, route.uri);
        if let Some(name) = &route.name {
            let _ = write!(names, " ({name})");
        }
    }
    if routes.len() > NAMED {
        let _ = write!(names, " and {} more", routes.len() - NAMED);
    }
    (!names.is_empty()).then_some(names)
}
