//! The life of a request, for adapters to web frameworks: how it begins, runs and ends.
//!
//! An adapter shows a request as a [`RequestView`], begins it with [`Instrumentation::begin_or_join`], runs the handler in the
//! [`RequestSpan`]'s [scope](RequestSpan::scope), hands the response's head to [`RequestSpan::head`], and follows the body with
//! the [`BodySpan`] that this returns. The contract that it has to pass is the package `opentracing-testkit`.

mod body_span;
mod caller;
mod guarded;
mod instrumentation;
mod request;
mod request_scope;
mod request_span;

pub use self::body_span::BodySpan;
pub use self::instrumentation::Instrumentation;
pub use self::request_scope::RequestScope;
pub use self::request_span::RequestSpan;
pub use crate::http::{BodySize, RequestView, ResponseView};
pub use crate::span::{Mark, Marked};
