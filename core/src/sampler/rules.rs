use std::sync::Arc;

use crate::http::Pattern;
use crate::sampler::Sampler;
use crate::sampler::decision::{SamplingParams, SamplingResult};

/// Samplers by method and path: the first rule that matches a request decides, whatever its caller decided.
///
/// Spans that are not requests match no rule.
///
/// Parsed from text, as a configuration file has it, they stand one a line:
///
/// | line | meaning |
/// |---|---|
/// | `GET /checkout/* = always` | requests that match the [`Pattern`] are judged by this [`TextSampler`](crate::sampler::TextSampler) |
/// | `* = parent:probability:0.1` | so is the rest ([`Rules::otherwise`]); at the end only |
/// | `# comment`, `/health = never # comment` | what follows a `#` is left out, and so are blank lines |
///
/// ```
/// use opentracing_http::sampler::Rules;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let rules: Rules = "
///     /health = never   # asked every second
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
    /// No rule yet: everything is left to whoever is asked next.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds the rules of another list behind these.
    pub(crate) fn append(&mut self, other: Self) {
        self.rules.extend(other.rules);
    }

    /// Has this sampler judge requests that match the pattern, if no earlier rule does.
    #[must_use]
    pub fn rule(mut self, pattern: Pattern, sampler: impl Sampler + 'static) -> Self {
        self.rules.push((pattern, Arc::new(sampler)));
        self
    }

    /// Has this sampler judge the rest, instead of whoever is asked next: the tracer.
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
