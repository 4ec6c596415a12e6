//! Compiles what the repository's README and the page about logs show.
#![doc = include_str!("../../../README.md")]

#[doc = include_str!("../../../adapters/LOGS.md")]
pub mod logs {}
