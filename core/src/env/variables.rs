use std::fmt;
use std::time::Duration;

use crate::config_error::ConfigError;
use crate::propagation::percent;

/// Returns the value of a variable in the environment of the process; `None` if it is unset.
///
/// Bytes that are not Unicode become U+FFFD. So such a value is reported as wrong instead of being taken for unset.
///
/// See the [module's page](crate::env) for an example.
#[must_use]
pub fn var(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// Reads variables from the environment of the process ([`var`]) or, in a test, from a table.
///
/// Blanks around a value are removed. An empty value counts as unset. Errors name the variable. See the [module's
/// page](crate::env) for an example with a number, and here for the other kinds:
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::env::Variables;
///
/// let table = |name: &str| match name {
///     "ACME_TIMEOUT" => Some("2500".to_owned()),
///     "ACME_TLS" => Some("true".to_owned()),
///     "ACME_HEADERS" => Some("x-team=blue%2Cgreen,x-key=1".to_owned()),
///     _ => None,
/// };
/// let variables = Variables::new(&table);
/// assert_eq!(variables.get("ACME_PORT"), None);
/// assert_eq!(variables.milliseconds("ACME_TIMEOUT", 1)?, Some(Duration::from_millis(2500)));
/// assert_eq!(variables.truth("ACME_TLS")?, Some(true));
/// assert_eq!(variables.pairs("ACME_HEADERS")?[0], ("x-team".to_owned(), "blue,green".to_owned()));
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    source: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Variables<'a> {
    /// Creates a reader. `source` returns the value of a variable, and `None` if it is unset.
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

    /// Returns the value as a whole number; `None` if it is unset.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not a whole number, or less than `least`.
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
                &format_args!("`{value}` is not a whole number; {}", whole(least)),
            )),
        }
    }

    /// Returns the value, a whole number of milliseconds, as a duration; `None` if it is unset.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not a whole number, or less than `least`.
    pub fn milliseconds(&self, name: &str, least: u64) -> Result<Option<Duration>, ConfigError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) if number >= least => Ok(Some(Duration::from_millis(number))),
            _ => Err(wrong(
                name,
                &format_args!(
                    "`{value}` is not a time; give milliseconds as a whole number{}, such as `5000`",
                    if least == 0 { "" } else { " above 0" },
                ),
            )),
        }
    }

    /// Returns the value `true` or `false`, in any letter case; `None` if it is unset.
    ///
    /// # Errors
    ///
    /// Returns an error for any other value. OpenTelemetry's specification of environment variables ("Boolean") lets an
    /// implementation log other values and take them for false.
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
    /// Keys and values are percent-decoded, and blanks around them are removed. The value is everything after the first
    /// `=`, and may be empty. Empty elements between commas are ignored. OpenTelemetry's `OTEL_RESOURCE_ATTRIBUTES` and
    /// `OTEL_EXPORTER_OTLP_HEADERS` are such lists.
    ///
    /// # Errors
    ///
    /// Returns an error if a pair has no `=` or no key, if a `%` is not followed by two hexadecimal digits, or if
    /// decoded bytes are not UTF-8. The error contains the number of the pair but not its text, because a header's
    /// value may be a secret.
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
