//! The request's span in a handler.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use opentracing_http::Span;

/// The extractor of the request's span. It derefs to [`Span`].
///
/// It never fails. If the request is not traced it contains an empty handle, on which every method does nothing.
/// `Option<CurrentSpan>` then contains the empty handle as well, because actix-web returns `None` only for errors.
///
/// ```
/// use actix_web::Responder;
/// use opentracing_actix_web::CurrentSpan;
///
/// async fn checkout(span: CurrentSpan) -> impl Responder {
///     span.set_tag("cart.items", 3);
///     let charge = span.child("charge");
///     // …
///     charge.finish();
///     "thank you"
/// }
/// # let _ = actix_web::web::post().to(checkout);
/// ```
#[derive(Debug, Clone)]
pub struct CurrentSpan(pub Span);

impl Deref for CurrentSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl From<CurrentSpan> for Span {
    fn from(span: CurrentSpan) -> Self {
        span.0
    }
}

impl FromRequest for CurrentSpan {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Span::current())))
    }
}
