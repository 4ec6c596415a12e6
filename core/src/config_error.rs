//! The error of a wrong configuration.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error of a wrong configuration. It names the option and the remedy.
///
/// It occurs at set-up only, never because of a request. Two errors are equal if they have the same option and message.
///
/// The message is complete. Where another error was the cause, it is the [`source`](Error::source) as well, for code that
/// treats, say, a missing file and an unreadable one differently.
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
    /// Creates an error for an option. `remedy` describes the fault and what to do: one sentence without capital letter
    /// and full stop.
    ///
    /// ```
    /// use opentracing_http::ConfigError;
    ///
    /// let error = ConfigError::new("ACME_PORT", "0 is not a port; give a number from 1 to 65535");
    /// assert_eq!(error.option(), "ACME_PORT");
    /// assert_eq!(error.to_string(), "option `ACME_PORT`: 0 is not a port; give a number from 1 to 65535");
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

    /// Returns the name of the option or of the environment variable.
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
