//! The server's side of an HTTP request: how it begins, runs and ends.

mod body_span;
mod caller;
mod guarded;
mod instrumentation;
mod request_scope;
mod request_span;

pub use self::body_span::BodySpan;
pub use self::instrumentation::Instrumentation;
pub use self::request_scope::RequestScope;
pub use self::request_span::RequestSpan;
