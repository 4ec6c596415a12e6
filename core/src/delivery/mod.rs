//! What happened to finished spans: delivered, or dropped and why; and the hook that reports losses.

pub(crate) mod diagnostics;
mod drops;
mod flushed;
mod late_change;
mod nested_policies;
mod once;
mod reported;

pub use self::diagnostics::{Diagnostic, Diagnostics, SpansLost};
pub use self::drops::Drops;
pub use self::flushed::Flushed;
pub use self::late_change::LateChange;
pub use self::nested_policies::NestedPolicies;

pub(crate) use self::diagnostics::Hook;
pub(crate) use self::drops::Reason;
pub(crate) use self::late_change::{Change, LateChanges};
pub(crate) use self::once::Once;
pub(crate) use self::reported::Reported;
