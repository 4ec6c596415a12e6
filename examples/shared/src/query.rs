//! The query parameters of the routes, for frameworks that read them into a structure.

use serde::Deserialize;

/// `?to=<url>`, or several addresses separated by commas.
#[derive(Debug, Deserialize)]
pub struct ToQuery {
    /// The address to call.
    pub to: String,
}

/// `?ms=<number>`.
#[derive(Debug, Deserialize)]
pub struct SlowQuery {
    /// The number of milliseconds to wait; 1,000 by default.
    pub ms: Option<u64>,
}

/// `?set=<key>:<value>&to=<url>` or `?get=<key>`.
#[derive(Debug, Deserialize)]
pub struct BaggageQuery {
    /// The item to set.
    pub set: Option<String>,
    /// The key of the item to return.
    pub get: Option<String>,
    /// The address to call.
    pub to: Option<String>,
}
