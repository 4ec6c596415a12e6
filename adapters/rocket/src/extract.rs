//! The request's span in a handler.

use std::convert::Infallible;
use std::ops::Deref;

use opentracing_http::Span;
use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::slot::Slot;

static NONE: Span = Span::none();

/// The request guard of the request's span; derefs to [`Span`].
///
/// It never fails: in an untraced request it is the empty handle. It needs no [`traced`](crate::traced) route: with the
/// [fairing](crate::TracingFairing) alone it is how a handler, a guard or a responder reaches the span.
///
/// ```
/// use opentracing_rocket::CurrentSpan;
/// use rocket::get;
///
/// #[get("/checkout")]
/// async fn checkout(span: CurrentSpan<'_>) -> &'static str {
///     span.set_tag("cart.items", 3);
///     let charge = span.child("charge");
///     charge.scope(async { /* … */ }).await;
///     "thanks"
/// }
/// # let _ = rocket::routes![checkout];
/// ```
///
/// `span.clone()` is a [`Span`] that outlives the request.
#[derive(Debug)]
pub struct CurrentSpan<'r>(&'r Span);

impl<'r> CurrentSpan<'r> {
    /// The span of this request, for catchers, responders and fairings.
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
    pub fn of(request: &'r Request<'_>) -> Self {
        Self(Slot::of(request).span().unwrap_or(&NONE))
    }
}

impl Deref for CurrentSpan<'_> {
    type Target = Span;

    fn deref(&self) -> &Span {
        self.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentSpan<'r> {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}
