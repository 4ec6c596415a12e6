use std::sync::Arc;

use crate::http::Pattern;
use crate::sampler::Sampler;
use crate::sampler::decision::{SamplingParams, SamplingResult};

/// Samplers by method and path: the first rule that matches a request decides, whatever the caller decided.
///
/// A span that is not a request's matches no rule.
///
/// The text form, for configuration files, has one rule per line:
///
/// | line | meaning |
/// |---|---|
/// | `GET /checkout/* = always` | this [`TextSampler`](crate::sampler::TextSampler) decides about requests that match the [`Pattern`] |
/// | `* = parent:probability:0.1` | this sampler decides about all others ([`Rules::otherwise`]); last line only |
/// | `# comment`, `/health = never # comment` | text after `#` and blank lines are ignored |
///
/// The [module's page](crate::sampler) has an example that builds rules in code.
///
/// ```
/// use opentracing_http::sampler::Rules;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let rules: Rules = "
///     /health = never   # requested every second
///     GET,POST /checkout/* = always
///     * = parent:probability:0.1
/// "
/// .parse()?;
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler(rules).build()?;
/// # drop(tracing);
///
/// let error = "/health: never".parse::<Rules>().unwrap_err();
/// assert!(error.to_string().contains("write a pattern, `=` and a sampler"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<(Pattern, Arc<dyn Sampler>)>,
    otherwise: Option<Arc<dyn Sampler>>,
}

impl Rules {
    /// Creates an empty list of rules: every decision is left to the tracer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns `true` if there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Appends the rules of another list.
    pub(crate) fn append(&mut self, other: Self) {
        self.rules.extend(other.rules);
    }

    /// Appends a rule: this sampler decides about requests that match the pattern and no earlier rule.
    #[must_use]
    pub fn rule(mut self, pattern: Pattern, sampler: impl Sampler + 'static) -> Self {
        self.rules.push((pattern, Arc::new(sampler)));
        self
    }

    /// Sets the sampler that decides about all other spans, instead of the tracer.
    #[must_use]
    pub fn otherwise(mut self, sampler: impl Sampler + 'static) -> Self {
        self.otherwise = Some(Arc::new(sampler));
        self
    }
}

impl Sampler for Rules {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        let matching = match (request.method(), request.path()) {
            (Some(method), Some(path)) => self
                .rules
                .iter()
                .find(|(pattern, _)| pattern.matches(method, path)),
            _ => None,
        };
        match matching
            .map(|(_, sampler)| sampler)
            .or(self.otherwise.as_ref())
        {
            Some(sampler) => sampler.sample(request),
            None => SamplingResult::undecided(),
        }
    }
}
