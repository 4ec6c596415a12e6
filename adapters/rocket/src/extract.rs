//! The request's span in a handler.

use std::convert::Infallible;
use std::ops::Deref;

use opentracing_http::Span;
use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::dispatch::Dispatch;

/// The request guard of the request's span. It derefs to [`Span`].
///
/// It never fails. If the request is not traced it contains an empty handle, on which every method does nothing.
///
/// It also works in routes that are not mounted through [`traced`](crate::traced), where `Span::current()` is empty.
///
/// ```
/// use opentracing_rocket::CurrentSpan;
/// use rocket::get;
///
/// #[get("/checkout")]
/// async fn checkout(span: CurrentSpan) -> &'static str {
///     span.set_tag("cart.items", 3);
///     span.child("charge").scope(async { /* … */ }).await;
///     "thanks"
/// }
/// # let _ = rocket::routes![checkout];
/// ```
#[derive(Debug, Clone)]
pub struct CurrentSpan(pub Span);

impl CurrentSpan {
    /// Returns the span of this request. Use it in catchers, responders and fairings, which have no guards.
    ///
    /// ```
    /// use opentracing_rocket::CurrentSpan;
    /// use rocket::{Request, catch};
    ///
    /// #[catch(404)]
    /// fn not_found(request: &Request<'_>) -> &'static str {
    ///     CurrentSpan::of(request).set_tag("lost", true);
    ///     "nothing here"
    /// }
    /// # let _ = rocket::catchers![not_found];
    /// ```
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        let span = Dispatch::of(request).span(request);
        Self(span.cloned().unwrap_or_default())
    }
}

impl Deref for CurrentSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl From<CurrentSpan> for Span {
    fn from(current: CurrentSpan) -> Self {
        current.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentSpan {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}
