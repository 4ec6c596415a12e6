//! The request's span in a handler, and the route.

use std::convert::Infallible;
use std::ops::Deref;

use opentracing_http::Span;
use warp::Filter;

/// The request's span. It derefs to [`Span`]. The filter [`current_span`] extracts it, and shows an example.
///
/// If the request is not traced it contains an empty handle, on which every method does nothing.
#[derive(Debug, Clone)]
pub struct CurrentSpan(pub Span);

impl Deref for CurrentSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl From<CurrentSpan> for Span {
    fn from(CurrentSpan(span): CurrentSpan) -> Self {
        span
    }
}

/// Returns the filter that extracts the request's span.
///
/// It never rejects. If the request is not traced it extracts an empty handle, on which every method does nothing.
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

/// Returns a filter that sets the route of the request's span. The filter extracts nothing and never rejects.
///
/// With the template `/users/{id}` the span's name becomes `GET /users/{id}`, and its tag `http.route` becomes `/users/{id}`.
///
/// warp has no route templates, so give the whole template here, also if paths are nested. Put the filter after those that match
/// the path. If several filters set a route, the last one counts. Without a route the span is named after the method alone.
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
