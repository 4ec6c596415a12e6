//! The error of a wrong configuration.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error of a wrong configuration: names the option, says what is wrong and what to do.
///
/// Made at set-up only; nothing that a request brings can cause one. Two of them are equal if they have the same message.
///
/// The message is complete. Where another error was the cause, it is the [`source`](Error::source) as well, for code that
/// treats a missing file and an unreadable one differently.
///
/// ```
/// use std::error::Error;
///
/// use opentracing_http::error::ParsePatternError;
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let error = HttpTracing::builder(InMemoryTracer::new()).skip("health").build().unwrap_err();
/// assert_eq!(error.option(), "skip");
/// assert!(error.source().unwrap().is::<ParsePatternError>());
/// ```
#[derive(Debug, Clone)]
pub struct ConfigError {
    option: Cow<'static, str>,
    remedy: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ConfigError {
    /// Creates an error about an option. `remedy` tells what is wrong and what to do: a sentence without capital and full
    /// stop.
    ///
    /// ```
    /// use opentracing_http::ConfigError;
    ///
    /// let error = ConfigError::new("queue", "0 spans do not fit a batch; use 1 or more");
    /// assert_eq!(error.to_string(), "option `queue`: 0 spans do not fit a batch; use 1 or more");
    /// ```
    pub fn new(option: impl Into<Cow<'static, str>>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self {
            option: option.into(),
            remedy: remedy.into(),
            source: None,
        }
    }

    /// Returns the same error with the error that caused it as its [`source`](Error::source). The message stays as it is.
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// use opentracing_http::ConfigError;
    ///
    /// let cause = "eight".parse::<u8>().unwrap_err();
    /// let error = ConfigError::new("queue", format!("{cause}; use a number")).with_source(cause);
    /// assert!(error.source().is_some());
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Returns the option's name.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }
}

impl PartialEq for ConfigError {
    fn eq(&self, other: &Self) -> bool {
        (&self.option, &self.remedy) == (&other.option, &other.remedy)
    }
}

impl Eq for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option `{}`: {}", self.option, self.remedy)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
