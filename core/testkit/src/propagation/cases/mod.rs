//! The laws, each a function of a [`Format`](super::Format) that panics where it is broken.

mod junk;
mod reading;
mod round_trips;
mod writing;

pub use self::junk::*;
pub use self::reading::*;
pub use self::round_trips::*;
pub use self::writing::*;
