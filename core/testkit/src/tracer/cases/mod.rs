//! The cases of the tracer contract, each a plain function. [`for_each_tracer_case`](crate::for_each_tracer_case) lists
//! them.

mod content;
mod delivery;
mod identity;
mod limits;
mod sampling;
mod time;

pub use self::content::*;
pub use self::delivery::*;
pub use self::identity::*;
pub use self::limits::*;
pub use self::sampling::*;
pub use self::time::*;
