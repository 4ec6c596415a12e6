//! The life of a request, for adapters to web frameworks: begin, run, respond.
//!
//! An adapter does three things for each request:
//!
//! 1. It passes a [`RequestView`] of the request to [`Instrumentation::begin`], which returns a [`RequestSpan`].
//! 2. It runs the handler in the span's [scope](RequestSpan::scope), or as an [`InRequest`] future.
//! 3. It passes a [`ResponseView`] to [`RequestSpan::respond`]. If that returns a [`BodySpan`], the adapter wraps the body in a
//!    [`FollowedBody`].
//!
//! [`InRequest`] shows the first two steps, [`FollowedBody`] the third. The guide is in the package `opentracing-testkit`,
//! together with the contract that an adapter has to pass.

mod body_span;
mod caller;
mod followed_body;
mod grpc;
mod guarded;
mod in_request;
mod instrumentation;
mod missing;
mod request;
mod request_scope;
mod request_span;
mod response;
mod shared_request_span;

pub use self::body_span::{BodyPart, BodySpan};
pub use self::followed_body::FollowedBody;
pub use self::in_request::InRequest;
pub use self::instrumentation::Instrumentation;
pub use self::request_scope::RequestScope;
pub use self::request_span::RequestSpan;
pub use self::shared_request_span::SharedRequestSpan;
pub use crate::http::{BodySize, Mark, Marked, RequestView, ResponseView, WithBodySize};
