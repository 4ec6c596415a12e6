//! Samplers: the policy's own rules about which spans are recorded. They are asked before the tracer.
//!
//! ```
//! use opentracing_http::sampler::{Always, Never, ParentBased, Probability, Rules};
//! use opentracing_http::{HttpTracing, InMemoryTracer};
//!
//! // No health checks, every checkout. Of the rest: what callers decided, and one in ten new traces.
//! let rules = Rules::new()
//!     .rule("/health".parse()?, Never)
//!     .rule("/checkout/*".parse()?, Always)
//!     .otherwise(ParentBased::new(Probability::new(0.1)?));
//! let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler(rules).build()?;
//! # let _ = tracing;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Samplers can also come from a configuration file: [`TextSampler`] and [`Rules`] are parsed from text.

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

/// Decides about a span before it starts.
///
/// It is called for every request that is not skipped, and for every other span without a parent in this process. A
/// child of a span of this process is recorded if its parent is. It is called on the request's thread, so it must not
/// block. A panic in it is caught and counts as undecided.
///
/// ```
/// use opentracing_http::sampler::{Sampler, SamplingParams, SamplingResult};
/// use opentracing_http::{HttpTracing, InMemoryTracer, SpanKind};
///
/// /// Records uploads and what callers sampled, drops root spans of jobs, and leaves the rest to the tracer.
/// #[derive(Debug)]
/// struct Uploads;
///
/// impl Sampler for Uploads {
///     fn sample(&self, span: &SamplingParams<'_>) -> SamplingResult {
///         let is_upload = span.method() == Some("PUT") && span.path().is_some_and(|path| path.starts_with("/files/"));
///         if is_upload || span.caller_decision() == Some(true) {
///             SamplingResult::record_and_sample().with_tag(("sampler.type", "uploads"))
///         } else if span.kind() == SpanKind::Internal && span.parent().is_none() {
///             SamplingResult::drop()
///         } else {
///             SamplingResult::undecided()
///         }
///     }
/// }
///
/// let tracer = InMemoryTracer::new();
/// let tracing = HttpTracing::builder(tracer.clone()).sampler(Uploads).build()?;
/// tracing.span("nightly job").start().finish();
/// assert!(tracer.finished().is_empty());
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
pub trait Sampler: fmt::Debug + Send + Sync {
    /// Returns the decision; [`SamplingResult::undecided`] leaves it to the next sampler, or to the tracer.
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

/// Creates the decision to record and sample, with the tags that Jaeger's clients set.
fn recorded(kind: &'static str, parameter: impl Into<Value>) -> SamplingResult {
    SamplingResult::record_and_sample()
        .with_tag(("sampler.type", kind))
        .with_tag(("sampler.param", parameter))
}
