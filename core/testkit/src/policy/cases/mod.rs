//! The cases of the policy contract, each a plain function. [`CASES`](crate::policy::CASES) lists them.

mod attributes;
mod options;
mod propagation;
mod sampling;
mod trust;

pub use self::attributes::*;
pub use self::options::*;
pub use self::propagation::*;
pub use self::sampling::*;
pub use self::trust::*;
