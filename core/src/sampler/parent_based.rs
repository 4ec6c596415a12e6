use std::fmt;

use crate::sampler::Sampler;
use crate::sampler::decision::{SamplingParams, SamplingResult};

/// Follows the caller's decision; asks another sampler for the root of a trace, and if the caller deferred the decision
/// (B3, "defer"). See the [module's page](crate::sampler) for an example.
#[derive(Debug, Clone, Default)]
pub struct ParentBased<S> {
    root: S,
}

impl<S: Sampler> ParentBased<S> {
    /// Creates a sampler that asks `root` if no caller has decided.
    pub fn new(root: S) -> Self {
        Self { root }
    }
}

impl<S: Sampler> Sampler for ParentBased<S> {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        match request.caller_decision() {
            Some(true) => SamplingResult::record_and_sample(),
            Some(false) => SamplingResult::drop(),
            None => self.root.sample(request),
        }
    }
}

impl<S: fmt::Display> fmt::Display for ParentBased<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parent:{}", self.root)
    }
}
