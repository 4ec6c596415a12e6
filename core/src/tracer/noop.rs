//! A tracer that traces nothing.

use crate::sampler::{SamplingParams, SamplingResult};
use crate::span::{FinishedSpan, Tracer};

/// A tracer that traces nothing: contexts are propagated unchanged, and the core allocates nothing for a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopTracer;

impl Tracer for NoopTracer {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        SamplingResult::pass_through()
    }

    fn report(&self, _: FinishedSpan) {}
}
