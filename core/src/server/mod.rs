//! The server's side of an HTTP request: what is read of it, what is kept of it, and how it ends.

mod attribute;
mod body_span;
mod caller;
mod chosen;
mod convention;
mod facts;
mod forwarded;
mod guarded;
mod hops;
mod host;
mod instrumentation;
mod mark;
mod options;
mod outcome;
mod redaction;
mod request_end;
mod request_scope;
mod request_span;
mod secret_names;
mod settings;
mod trust;
mod url_redaction;
mod view;

pub use self::attribute::{Attribute, ParseAttributeError};
pub use self::body_span::BodySpan;
pub use self::caller::TraceIdHeader;
pub use self::convention::Convention;
pub use self::forwarded::{Forwarded, Network, ParseNetworkError};
pub use self::instrumentation::Instrumentation;
pub use self::mark::{Mark, Marked};
pub use self::outcome::{End, Outcome};
pub use self::redaction::QueryRedaction;
pub use self::request_end::RequestEnd;
pub use self::request_scope::RequestScope;
pub use self::request_span::RequestSpan;
pub use self::trust::Trust;
pub use self::view::{BodySize, RequestView, ResponseView, Route};

pub(crate) use self::convention::{error_type, is_failure, tags};
pub(crate) use self::facts::HttpFacts;
pub(crate) use self::settings::HttpSettings;
