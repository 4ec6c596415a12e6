//! What is recorded of a span: tags, values and logs, and how much of it.

mod kind;
mod limits;
mod log;
mod value;

pub use self::kind::SpanKind;
pub use self::limits::{Limits, Omitted};
pub use self::log::{Log, LogFields};
pub use self::value::{Tag, Value};
