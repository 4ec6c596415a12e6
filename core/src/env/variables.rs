use std::fmt;
use std::time::Duration;

use crate::config_error::ConfigError;
use crate::propagation::percent;

/// Returns the value of a variable in the process' environment; `None` if it is unset.
///
/// Bytes that are not Unicode become U+FFFD, so that such a value is found to be wrong, and not taken for one that is unset.
#[must_use]
pub fn var(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// Reads variables, whose source is the process' environment ([`var`]) or a table of a test's.
///
/// Blanks round a value are left out, and a value that is empty then is as good as unset. Errors name the variable.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    source: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Variables<'a> {
    /// Creates a reader of the variables that this function returns.
    #[must_use]
    pub fn new(source: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { source }
    }

    /// Returns the variable's value; `None` if it is unset or blank.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = (self.source)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Returns a whole number that is `least` or greater.
    ///
    /// # Errors
    ///
    /// If the value is no such number.
    pub fn integer(&self, name: &str, least: usize) -> Result<Option<usize>, ConfigError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) if number >= least => Ok(Some(number)),
            Ok(number) => Err(wrong(
                name,
                &format_args!("{number} is too small; {}", whole(least)),
            )),
            Err(_) => Err(wrong(
                name,
                &format_args!("`{value}` is no whole number; {}", whole(least)),
            )),
        }
    }

    /// Returns a time of at least `least` milliseconds, which is written as a whole number of milliseconds.
    ///
    /// # Errors
    ///
    /// If the value is no such number.
    pub fn milliseconds(&self, name: &str, least: u64) -> Result<Option<Duration>, ConfigError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) if number >= least => Ok(Some(Duration::from_millis(number))),
            _ => Err(wrong(
                name,
                &format_args!(
                    "`{value}` is no time; give milliseconds as a whole number{}, such as `5000`",
                    if least == 0 { "" } else { " above 0" },
                ),
            )),
        }
    }

    /// Returns whether the value is `true`, in whatever case.
    ///
    /// # Errors
    ///
    /// If the value is neither `true` nor `false`. No other value may count as true (OpenTelemetry's specification of
    /// environment variables, "Boolean"), and where it has others logged and taken for false, they are an error here.
    pub fn truth(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        if value.eq_ignore_ascii_case("true") {
            Ok(Some(true))
        } else if value.eq_ignore_ascii_case("false") {
            Ok(Some(false))
        } else {
            Err(wrong(
                name,
                &format_args!("`{value}` is neither `true` nor `false`; write one of them"),
            ))
        }
    }

    /// Returns the pairs of a list such as `key=value,key2=value2`, in order; empty if the variable is unset.
    ///
    /// Keys and values are percent-decoded, and blanks round them are left out. Everything behind the first `=` is the
    /// value, which may be empty. Places between commas may be empty. OpenTelemetry's `OTEL_RESOURCE_ATTRIBUTES` and
    /// `OTEL_EXPORTER_OTLP_HEADERS` are such lists.
    ///
    /// # Errors
    ///
    /// If a pair has no `=` or no key, or a `%` does not stand for a byte, or what is decoded is not UTF-8. The error has
    /// the number of the pair and does not show it: a header's value may be a secret.
    pub fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, ConfigError> {
        let list = self.get(name).unwrap_or_default();
        let members = list.split(',').map(str::trim);
        let members = members.filter(|member| !member.is_empty());
        let pairs = members.zip(1..).map(|(member, number)| {
            pair(member).map_err(|problem| {
                let remedy = format_args!(
                    "pair {number} {problem}; write `key=value`, with commas between pairs, and `%2C` for a comma in a value"
                );
                wrong(name, &remedy)
            })
        });
        pairs.collect()
    }
}

fn pair(member: &str) -> Result<(String, String), &'static str> {
    let (key, value) = member.split_once('=').ok_or("has no `=`")?;
    let decode = |text: &str| {
        percent::decode_strictly(text.trim())
            .ok_or("is not percent-encoded UTF-8 (a `%` by itself is `%25`)")
    };
    match decode(key)? {
        key if key.is_empty() => Err("has no key"),
        key => Ok((key, decode(value)?)),
    }
}

fn whole(least: usize) -> String {
    match least {
        0 => "give a whole number".to_owned(),
        1 => "give a whole number above 0".to_owned(),
        least => format!("give a whole number from {least} on"),
    }
}

fn wrong(name: &str, remedy: &dyn fmt::Display) -> ConfigError {
    ConfigError::new(name.to_owned(), remedy.to_string())
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").finish_non_exhaustive()
    }
}
