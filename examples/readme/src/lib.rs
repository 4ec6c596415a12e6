//! Compiles what the repository's README shows.
#![doc = include_str!("../../../README.md")]
