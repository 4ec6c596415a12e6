//! Compiles what the migration page shows.
#![doc = include_str!("../../../adapters/MIGRATING.md")]
