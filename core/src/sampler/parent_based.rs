use std::fmt;

use crate::sampler::Sampler;
use crate::sampler::decision::{SamplingParams, SamplingResult};

/// Follows the caller's decision, and asks another sampler where there is none: for the root of a trace, and for a caller
/// that left it to us (B3, "defer").
#[derive(Debug, Clone, Default)]
pub struct ParentBased<S> {
    root: S,
}

impl<S: Sampler> ParentBased<S> {
    /// Asks `root` where no caller has decided.
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
