//! The request's span in a handler, and its route.

use std::convert::Infallible;
use std::ops::Deref;

use opentracing_http::Span;
use warp::Filter;

/// What [`current_span`] extracts: the request's span; derefs to [`Span`].
#[derive(Debug, Clone)]
pub struct CurrentSpan(pub Span);

impl Deref for CurrentSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

/// The filter that extracts the request's span. It never rejects: in an untraced request it extracts the empty handle.
///
/// ```
/// use opentracing_warp::{CurrentSpan, current_span};
/// use warp::Filter;
///
/// let checkout = warp::path("checkout").and(current_span()).map(|span: CurrentSpan| {
///     span.set_tag("cart.items", 3);
///     "thanks"
/// });
/// # let _ = checkout;
/// ```
#[must_use]
pub fn current_span()
-> impl Filter<Extract = (CurrentSpan,), Error = Infallible> + Copy + Send + Sync + 'static {
    warp::any().map(|| CurrentSpan(Span::current()))
}

/// The filter that tells the route, which names the request's span `GET /users/{id}` and is its tag `http.route`. It
/// extracts nothing and never rejects.
///
/// warp has no templates, so the whole one is written out here, also where paths are nested. It belongs behind the filters
/// that match the path; if several tell a route, the last one counts. Without it the name is the method.
///
/// ```
/// use opentracing_warp::route;
/// use warp::Filter;
///
/// let user = warp::path!("users" / u32)
///     .and(route("/users/{id}"))
///     .and(warp::get())
///     .map(|id: u32| format!("user {id}"));
/// # let _ = user;
/// ```
#[must_use]
pub fn route(
    template: &'static str,
) -> impl Filter<Extract = (), Error = Infallible> + Copy + Send + Sync + 'static {
    warp::any()
        .map(move || {
            Span::current().set_route(template);
        })
        .untuple_one()
}
