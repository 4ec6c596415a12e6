//! Which spans are recorded: rules of the policy's own, asked before the tracer.
//!
//! ```
//! use opentracing_http::sampler::{Always, Never, ParentBased, Probability, Rules};
//! use opentracing_http::{HttpTracing, InMemoryTracer};
//!
//! // Health checks never, the checkout always, of the rest what callers decided, and one in ten new traces.
//! let rules = Rules::new()
//!     .rule("/health".parse()?, Never)
//!     .rule("/checkout/*".parse()?, Always)
//!     .otherwise(ParentBased::new(Probability::new(0.1)?));
//! let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler(rules).build()?;
//! # let _ = tracing;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same may stand in a configuration file: [`TextSampler`] and [`Rules`] are parsed from text.

mod constant;
mod decision;
mod parent_based;
mod probability;
mod rate_limit;
mod rule;
mod rules;
mod text;

use std::fmt;
use std::sync::Arc;

use crate::tag::Value;

pub use self::constant::{Always, Never};
pub use self::decision::{SamplingDecision, SamplingParams, SamplingResult};
pub use self::parent_based::ParentBased;
pub use self::probability::Probability;
pub use self::rate_limit::RateLimit;
pub use self::rule::ParseRuleError;
pub use self::rules::Rules;
pub use self::text::{ParseSamplerError, TextSampler};

pub(crate) use self::decision::Subject;
pub(crate) use self::rule::read as read_rules;

/// Judges a span before it starts.
///
/// Asked for every request that no rule skips, and for every other span without a parent in this process; a child of a
/// span of this process shares its parent's lot. Called on the request's thread, so it must not block.
pub trait Sampler: fmt::Debug + Send + Sync {
    /// Decides, or leaves it to whoever is asked next: [`SamplingResult::undecided`].
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult;
}

impl<S: Sampler + ?Sized> Sampler for &S {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        (**self).sample(request)
    }
}

impl<S: Sampler + ?Sized> Sampler for Box<S> {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        (**self).sample(request)
    }
}

impl<S: Sampler + ?Sized> Sampler for Arc<S> {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        (**self).sample(request)
    }
}

/// A decision to record, with the tags that Jaeger's clients give it.
fn recorded(kind: &'static str, parameter: impl Into<Value>) -> SamplingResult {
    SamplingResult::record_and_sample()
        .with_tag(("sampler.type", kind))
        .with_tag(("sampler.param", parameter))
}
