//! The error of a wrong configuration.

use std::borrow::Cow;
use std::fmt;

/// The error of a wrong configuration. It names the option and the remedy.
///
/// It occurs at set-up only, never because of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    option: Cow<'static, str>,
    remedy: Cow<'static, str>,
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
        }
    }

    /// Returns the name of the option or of the environment variable.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option `{}`: {}", self.option, self.remedy)
    }
}

impl std::error::Error for ConfigError {}
