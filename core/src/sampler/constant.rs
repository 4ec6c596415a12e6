use std::fmt;

use crate::sampler::decision::{SamplingParams, SamplingResult};
use crate::sampler::{Sampler, recorded};

/// Records and samples every span, whatever the caller decided; wrap it in [`ParentBased`](crate::sampler::ParentBased)
/// to follow the caller. See the [module's page](crate::sampler) for an example.
#[derive(Debug, Clone, Copy, Default)]
pub struct Always;

impl Sampler for Always {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        recorded("const", true)
    }
}

impl fmt::Display for Always {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("always")
    }
}

/// Records nothing and propagates `sampled = 0` to downstream calls. See the [module's page](crate::sampler) for an
/// example.
#[derive(Debug, Clone, Copy, Default)]
pub struct Never;

impl Sampler for Never {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        SamplingResult::drop()
    }
}

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never")
    }
}
