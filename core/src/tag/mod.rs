//! The data that a span records: tags, values and logs, and the limits on them.

mod conversion;
mod fields;
mod kind;
mod limits;
mod log;
mod text;
mod value;

pub use self::conversion::{DisplayValue, TagValue};
pub use self::fields::{IntoTag, LogFields, TagWriter, Tags};
pub use self::kind::SpanKind;
pub use self::limits::{Limits, Omitted};
pub use self::log::Log;
pub use self::text::Text;
pub use self::value::{Tag, Value};
