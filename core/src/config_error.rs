//! The error of a wrong configuration.

use std::borrow::Cow;
use std::fmt;

/// The error of a wrong configuration: names the option, says what is wrong and what to do.
///
/// Made at set-up only; nothing that a request brings can cause one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    option: Cow<'static, str>,
    remedy: Cow<'static, str>,
}

impl ConfigError {
    /// Says what is wrong with an option, and the remedy: a sentence without capital and full stop.
    pub fn new(option: impl Into<Cow<'static, str>>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self {
            option: option.into(),
            remedy: remedy.into(),
        }
    }

    /// The option's name.
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
