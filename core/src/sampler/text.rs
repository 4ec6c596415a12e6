use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::sampler::Sampler;
use crate::sampler::constant::{Always, Never};
use crate::sampler::decision::{SamplingParams, SamplingResult};
use crate::sampler::parent_based::ParentBased;
use crate::sampler::probability::Probability;
use crate::sampler::rate_limit::RateLimit;

/// A sampler in text form, as it is written in a configuration file.
///
/// | written | sampler |
/// |---|---|
/// | `always` | [`Always`] |
/// | `never` | [`Never`] |
/// | `probability:0.1` | [`Probability`] with a share from 0 to 1 |
/// | `rate:100` | [`RateLimit`] in spans per second |
/// | `parent:always`, `parent:rate:100`, … | [`ParentBased`] with one of these as root |
///
/// Letter case matters, blanks around a part do not. [`Display`](fmt::Display) writes the text that was parsed, without
/// the blanks. Clones share one rate limit.
///
/// ```
/// use opentracing_http::sampler::TextSampler;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let sampler: TextSampler = "parent:probability:0.1".parse()?;
/// assert_eq!(sampler.to_string(), "parent:probability:0.1");
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler(sampler).build()?;
/// # drop(tracing);
///
/// let error = "probability:10".parse::<TextSampler>().unwrap_err();
/// assert!(error.to_string().contains("from 0 to 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`HttpTracingBuilder::sampler_text`](crate::HttpTracingBuilder::sampler_text) takes the text itself.
/// [`Rules`](crate::sampler::Rules) can be parsed from text, too.
#[derive(Debug, Clone)]
pub struct TextSampler {
    root: Root,
    follows_caller: bool,
}

/// The sampler that decides if no caller has.
#[derive(Debug, Clone)]
enum Root {
    Always,
    Never,
    Probability(Probability),
    RateLimit(Arc<RateLimit>),
}

impl Sampler for Root {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        match self {
            Self::Always => Always.sample(request),
            Self::Never => Never.sample(request),
            Self::Probability(sampler) => sampler.sample(request),
            Self::RateLimit(sampler) => sampler.sample(request),
        }
    }
}

impl Sampler for TextSampler {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        match self.follows_caller {
            true => ParentBased::new(&self.root).sample(request),
            false => self.root.sample(request),
        }
    }
}

impl FromStr for TextSampler {
    type Err = ParseSamplerError;

    fn from_str(text: &str) -> Result<Self, ParseSamplerError> {
        let error = |problem| ParseSamplerError {
            text: text.trim().to_owned(),
            problem,
        };
        let (name, rest) = cut(text);
        let (follows_caller, (name, parameter)) = match (name, rest) {
            ("parent", Some(root)) => (true, cut(root)),
            ("parent", None) => {
                return Err(error(
                    "name the sampler for spans without a caller's decision, as in `parent:always`",
                ));
            }
            own => (false, own),
        };
        let number = || parameter.and_then(|parameter| parameter.parse().ok());
        let root = match (name, parameter) {
            ("always", None) => Root::Always,
            ("never", None) => Root::Never,
            ("probability", _) => match number().map(Probability::new) {
                Some(Ok(sampler)) => Root::Probability(sampler),
                _ => {
                    return Err(error(
                        "give the share of traces to record, from 0 to 1, as in `probability:0.1`",
                    ));
                }
            },
            ("rate", _) => match number().map(RateLimit::per_second) {
                Some(Ok(sampler)) => Root::RateLimit(Arc::new(sampler)),
                _ => {
                    return Err(error(
                        "give the number of spans per second, 0 or more, as in `rate:100`",
                    ));
                }
            },
            ("always" | "never", Some(_)) => {
                return Err(error("`always` and `never` have no parameter"));
            }
            ("parent", _) => return Err(error("`parent` is allowed once, at the start")),
            _ => {
                return Err(error(
                    "there are `always`, `never`, `probability:<share>`, `rate:<spans per second>` and `parent:<one of these>`",
                ));
            }
        };
        Ok(Self {
            root,
            follows_caller,
        })
    }
}

/// Splits a sampler's name from the text after its colon.
fn cut(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((name, rest)) => (name.trim(), Some(rest.trim())),
        None => (text.trim(), None),
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => Always.fmt(f),
            Self::Never => Never.fmt(f),
            Self::Probability(sampler) => sampler.fmt(f),
            Self::RateLimit(sampler) => sampler.fmt(f),
        }
    }
}

/// Writes text that parses to the same sampler.
impl fmt::Display for TextSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.follows_caller {
            true => ParentBased::new(&self.root).fmt(f),
            false => self.root.fmt(f),
        }
    }
}

/// The error of parsing a [`TextSampler`]. It shows the text, the fault and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSamplerError {
    text: String,
    problem: &'static str,
}

impl fmt::Display for ParseSamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a sampler: {}", self.text, self.problem)
    }
}

impl std::error::Error for ParseSamplerError {}
