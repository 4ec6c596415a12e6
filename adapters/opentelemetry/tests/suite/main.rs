//! The tracer and the scopes, together with OpenTelemetry's own SDK.

#![allow(clippy::unwrap_used)]

mod axum;
mod clients;
mod contexts;
mod contract;
mod delivery;
mod received;
mod scopes;
mod span_data;
