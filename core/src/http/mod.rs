//! Facts about an HTTP request, as plain data: how they are read, how they are stored, and which tags they become.

mod attribute;
mod chosen;
mod convention;
mod facts;
mod forwarded;
mod hops;
mod host;
mod late_attributes;
mod mark;
mod method;
mod options;
mod outcome;
mod path_parameters;
mod pattern;
mod redaction;
mod request_view;
mod response_view;
mod secret_names;
mod settings;
mod shown;
mod synthetic;
mod text_buffer;
mod trace_id_header;
mod trust;
mod url_redaction;

pub use self::attribute::{Attribute, ParseAttributeError};
pub use self::convention::SemanticConvention;
pub use self::forwarded::{Forwarded, Network, ParseNetworkError};
pub use self::mark::{Mark, Marked};
pub use self::outcome::{Outcome, SpanEnd};
pub use self::pattern::{ParsePatternError, Pattern};
pub use self::redaction::QueryRedaction;
pub use self::request_view::{RequestView, Route};
pub use self::response_view::{BodySize, ResponseView, WithBodySize};
pub use self::trace_id_header::TraceIdHeader;
pub use self::trust::Trust;

pub(crate) use self::chosen::{Added, HeaderValues, Wanted};
pub(crate) use self::convention::{error_type, is_failure, tags};
pub(crate) use self::facts::{Arrival, HttpFacts};
pub(crate) use self::method::KnownMethods;
pub(crate) use self::options::Options;
pub(crate) use self::settings::{HttpSettings, with_headers_of};
