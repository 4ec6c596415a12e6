//! Chosen attributes that are known only at the request's end, or that are computed when a tracer reads the span.

use crate::http::attribute::{Attribute, What};
use crate::http::path_parameters::{is_secret_parameter, parameters};
use crate::http::redaction::REDACTED;
use crate::http::settings::HttpSettings;
use crate::http::shown::Shown;
use crate::tag::Value;
use crate::text::prefix;

/// Calls `set` with each such attribute that has a value. Text is cut to `limit` bytes.
pub(super) fn late_attributes<'a>(
    http: Shown<'a>,
    settings: &'a HttpSettings,
    limit: usize,
    mut set: impl FnMut(&'a Attribute, Value),
) {
    for attribute in http.lists(settings).flatten() {
        let value = match &attribute.what {
            What::ResponseBodySize => {
                let size = http.body_bytes.and_then(|bytes| i64::try_from(bytes).ok());
                size.map(Value::from)
            }
            What::PathParameters => {
                let all = parameters(http.template().unwrap_or_default(), http.path());
                let all = all.into_iter().map(|(name, value)| {
                    let value = shown(attribute, name, value);
                    format!("{name}={value}")
                });
                let all = all.collect::<Vec<_>>().join(", ");
                (!all.is_empty()).then(|| prefix(&all, limit).into())
            }
            What::PathParameter(wanted) => {
                let all = parameters(http.template().unwrap_or_default(), http.path());
                let mut all = all.into_iter();
                let found = all.find(|(name, _)| name == wanted);
                found.map(|(name, value)| shown(attribute, name, value).into())
            }
            _ => None,
        };
        if let Some(value) = value {
            set(attribute, value);
        }
    }
}

fn shown<'a>(attribute: &Attribute, name: &str, value: &'a str) -> &'a str {
    match attribute.unredacted || !is_secret_parameter(name) {
        true => value,
        false => REDACTED,
    }
}

/// Returns the stored text of an attribute as a tag's value: a number for sizes and ports.
pub(super) fn value_of(attribute: &Attribute, text: &str) -> Value {
    let number = match attribute.what {
        What::RequestBodySize | What::LocalPort => text.parse::<i64>().ok(),
        _ => None,
    };
    number.map_or_else(|| Value::from(text), Value::from)
}
