//! The request's span in a handler.

use std::convert::Infallible;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use opentracing_http::Span;

/// The extractor of the request's span. It derefs to [`Span`].
///
/// It never fails. If the request is not traced it contains an empty handle, on which every method does nothing.
/// `Option<CurrentSpan>` is `None` then.
///
/// ```
/// use opentracing_axum::CurrentSpan;
///
/// async fn handler(span: CurrentSpan) -> &'static str {
///     span.set_tag("cart.items", 3);
///     "thanks"
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(handler));
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

impl<S: Send + Sync> FromRequestParts<S> for CurrentSpan {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Span::current()))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for CurrentSpan {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let span = Span::current();
        Ok((!span.is_none()).then_some(Self(span)))
    }
}
