use std::fmt;

use crate::config_error::ConfigError;
use crate::sampler::decision::{SamplingParams, SamplingResult};
use crate::sampler::{Sampler, recorded};

/// Records a share of all traces, chosen by trace id. Services with the same share choose the same traces; a service
/// with a greater share chooses all of those and more.
///
/// It compares the right-most 56 bits of the trace id, which W3C Trace Context level 2 defines as random, as
/// OpenTelemetry's consistent probability sampling does. It ignores the caller's decision; wrap it in
/// [`ParentBased`](crate::sampler::ParentBased) to follow the caller. See the [module's page](crate::sampler) for an
/// example.
#[derive(Debug, Clone, Copy)]
pub struct Probability {
    share: f64,
    /// Traces whose random bits are at least this number are kept.
    threshold: u64,
}

const RANDOM_BITS: u64 = 1 << 56;

impl Probability {
    /// Creates a sampler that records this share of traces: 0 for none, 1 for all.
    ///
    /// # Errors
    ///
    /// Returns an error if the share is not between 0 and 1.
    pub fn new(share: f64) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(ConfigError::new(
                "sampler",
                format!(
                    "the probability {share} is not between 0 and 1; give the share of traces to record, such as 0.1"
                ),
            ));
        }
        Ok(Self {
            share,
            threshold: ((1.0 - share) * RANDOM_BITS as f64) as u64,
        })
    }
}

impl Sampler for Probability {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        let randomness = request.trace_id().get() as u64 % RANDOM_BITS;
        if randomness >= self.threshold {
            recorded("probabilistic", self.share)
        } else {
            SamplingResult::drop()
        }
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "probability:{}", self.share)
    }
}
