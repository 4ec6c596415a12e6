//! The cases of the service contract, each a plain function. [`CASES`](crate::service::CASES) lists them.

mod ends;
mod many;
mod names;
mod trace;

use std::time::Duration;

// All that is in there: the list of the cases is the macro's, and a second one here would drift.
pub use self::ends::*;
pub use self::many::*;
pub use self::names::*;
pub use self::trace::*;

/// What a format may cut off from a time.
const CUT: Duration = Duration::from_millis(1);
