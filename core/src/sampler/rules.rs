use std::sync::Arc;

use crate::pattern::Pattern;
use crate::sampler::Sampler;
use crate::tracer::{SampleRequest, Sampling};

/// Samplers by method and path: the first rule that matches a request decides, whatever its caller decided.
///
/// Spans that are not requests match no rule.
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
    fn sample(&self, request: &SampleRequest<'_>) -> Sampling {
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
            None => Sampling::undecided(),
        }
    }
}
