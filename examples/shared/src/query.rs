//! What the routes read from the query, for the frameworks that read it into a structure.

use serde::Deserialize;

/// `?to=<url>`, or several with commas between them.
#[derive(Debug, Deserialize)]
pub struct ToQuery {
    /// Whom to call.
    pub to: String,
}

/// `?ms=<number>`.
#[derive(Debug, Deserialize)]
pub struct SlowQuery {
    /// How many milliseconds to wait; a second where nothing is said.
    pub ms: Option<u64>,
}

/// `?set=<key>:<value>&to=<url>` or `?get=<key>`.
#[derive(Debug, Deserialize)]
pub struct BaggageQuery {
    /// The item to set.
    pub set: Option<String>,
    /// The key of the item to answer.
    pub get: Option<String>,
    /// Whom to call.
    pub to: Option<String>,
}
