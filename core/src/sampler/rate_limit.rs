use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::config_error::ConfigError;
use crate::sampler::decision::{SamplingParams, SamplingResult};
use crate::sampler::{Sampler, recorded};

/// Records at most a number of spans per second. Unused spans of up to one second are saved; at least one is.
///
/// It ignores the caller's decision; wrap it in [`ParentBased`](crate::sampler::ParentBased) to follow the caller.
#[derive(Debug)]
pub struct RateLimit {
    per_second: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    spans: f64,
    filled: Instant,
}

impl RateLimit {
    /// Creates a sampler that records at most `rate` spans per second. 0.1 is one span in ten seconds, 0 is none.
    ///
    /// # Errors
    ///
    /// Returns an error if the rate is negative, infinite or not a number.
    ///
    /// ```
    /// use opentracing_http::sampler::{ParentBased, RateLimit};
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let sampler = ParentBased::new(RateLimit::per_second(100.0)?);
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler(sampler).build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn per_second(rate: f64) -> Result<Self, ConfigError> {
        if !rate.is_finite() || rate < 0.0 {
            return Err(ConfigError::new(
                "sampler",
                format!("{rate} spans per second is not a limit; give 0 or a greater number"),
            ));
        }
        Ok(Self {
            per_second: rate,
            bucket: Mutex::new(Bucket {
                spans: if rate > 0.0 { rate.max(1.0) } else { 0.0 },
                filled: Instant::now(),
            }),
        })
    }

    fn take(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have come later with an earlier time.
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.filled = bucket.filled.max(now);
        bucket.spans = (bucket.spans + passed * self.per_second).min(self.per_second.max(1.0));
        let enough = bucket.spans >= 1.0;
        if enough {
            bucket.spans -= 1.0;
        }
        enough
    }
}

impl Sampler for RateLimit {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        if self.take(Instant::now()) {
            recorded("ratelimiting", self.per_second)
        } else {
            SamplingResult::drop()
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rate:{}", self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bursts_are_limited_to_one_second() {
        let limit = RateLimit::per_second(2.0).unwrap();
        let start = Instant::now();
        let taken = |seconds: f64| limit.take(start + Duration::from_secs_f64(seconds));
        assert!(taken(0.0) && taken(0.0) && !taken(0.0));
        assert!(taken(0.6) && !taken(0.6));
        assert!(taken(100.0) && taken(100.0) && !taken(100.0));
    }

    #[test]
    fn a_slow_rate_saves_one_span() {
        let limit = RateLimit::per_second(0.1).unwrap();
        let start = Instant::now();
        assert!(limit.take(start) && !limit.take(start + Duration::from_secs(9)));
        assert!(limit.take(start + Duration::from_secs(11)));
    }

    #[test]
    fn a_rate_of_zero_records_nothing() {
        let limit = RateLimit::per_second(0.0).unwrap();
        assert!(!limit.take(Instant::now() + Duration::from_secs(1000)));
        assert!(RateLimit::per_second(-1.0).is_err() && RateLimit::per_second(f64::NAN).is_err());
    }
}
