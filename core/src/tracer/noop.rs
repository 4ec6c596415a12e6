//! A tracer that traces nothing.

use crate::sampler::{SamplingParams, SamplingResult};
use crate::span::{FinishedSpan, Tracer};

/// The tracer that traces nothing: contexts pass through unchanged, and a request costs the core no allocation.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopTracer;

impl Tracer for NoopTracer {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        SamplingResult::pass_through()
    }

    fn report(&self, _: FinishedSpan) {}
}
