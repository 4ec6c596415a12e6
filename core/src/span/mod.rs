//! Spans from their start to their end: handles, the current span, records, the policy as spans hold it, and the trait of
//! tracers.

mod bridge;
mod callbacks;
mod cell;
mod clock;
pub(crate) mod current;
mod finished;
mod handle;
mod hook;
mod late_bytes;
mod late_changes;
mod log_ids;
mod owned_span;
mod policy;
pub(crate) mod pool;
mod record;
mod recordable_error;
mod request_end;
mod scope_key;
mod start;
pub(crate) mod suppression;
mod tracer;
mod without_parent;

pub use self::clock::{Clock, SystemClock};
pub use self::current::{Entered, Scoped};
pub use self::finished::{FinishedSpan, RequestInfo};
pub use self::handle::Span;
pub use self::hook::ScopeHook;
pub use self::log_ids::LogIds;
pub use self::owned_span::OwnedSpan;
pub use self::recordable_error::RecordableError;
pub use self::request_end::RequestEnd;
pub use self::scope_key::ScopeKey;
pub use self::start::SpanBuilder;
pub use self::tracer::Tracer;
pub use self::without_parent::children_without_parent;

pub(crate) use self::cell::SpanCell;
pub(crate) use self::current::Kind;
pub(crate) use self::late_bytes::LateBytes;
pub(crate) use self::policy::Policy;
pub(crate) use self::record::Record;
pub(crate) use self::start::{Inherited, Start, pass_through};
pub(crate) use self::suppression::PolicyId;
pub(crate) use self::without_parent::note_policy;
