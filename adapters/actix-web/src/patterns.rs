//! Patterns of resources, such as `/users/{id}`, and the values that the router captured with one.

use std::fmt::Write as _;

use actix_web::dev::{Path, Url};

/// Returns `Some(true)` if the pattern, with the captured values inserted for its names, is the processed part of the path.
///
/// Returns `None` if a name has no captured value, or if a part of the pattern differs from the path before its end.
pub(crate) fn yields(pattern: &str, captured: &Path<Url>) -> Option<bool> {
    let mut path = captured.as_str().strip_suffix(captured.unprocessed())?;
    let mut captured = captured.iter();
    let mut pattern = pattern;
    while let Some((before, value, behind)) = split_at_value(pattern) {
        let name = value.split_once(':').map_or(value, |(name, _)| name);
        // A regular expression may capture more values than the pattern has names.
        let (_, text) = captured.find(|(captured, _)| *captured == name)?;
        path = path.strip_prefix(before)?.strip_prefix(text)?;
        pattern = behind;
    }
    // The rest of `{tail}*` is the asterisk.
    Some(path == pattern.trim_end_matches('*'))
}

/// Returns the path, with each captured value replaced by its name in braces. The rest is text of the pattern, so there are no
/// more templates than patterns.
pub(crate) fn template(captured: &Path<Url>) -> String {
    let path = captured.as_str();
    let mut template = String::with_capacity(path.len());
    let mut done = 0;
    for (name, value) in captured.iter() {
        // A captured value is a slice of the path, so its address gives its position. Values that a middleware added are no slices
        // of it. A value inside of another one is left out.
        let start = value.as_ptr().addr().wrapping_sub(path.as_ptr().addr());
        let before = path.get(done..start);
        let end = start.saturating_add(value.len());
        if let Some(before) = before.filter(|_| end <= path.len()) {
            let _ = write!(template, "{before}{{{name}}}");
            done = end;
        }
    }
    template + path.get(done..).unwrap_or_default()
}

/// Returns the pattern with distinct names instead of its own. A scope and its resource may use the same name twice, but one
/// `ResourceDef` may not.
pub(crate) fn with_distinct_names(pattern: &str) -> String {
    let (mut distinct, mut rest) = (String::new(), pattern);
    while let Some((before, value, behind)) = split_at_value(rest) {
        let expression = value.find(':').and_then(|colon| value.get(colon..));
        let expression = expression.unwrap_or_default();
        let _ = write!(distinct, "{before}{{v{}{expression}}}", rest.len());
        rest = behind;
    }
    distinct + rest
}

/// Splits a pattern into the text before its first value, the value without its braces (`name` or `name:expression`), and the rest.
fn split_at_value(pattern: &str) -> Option<(&str, &str, &str)> {
    let (before, value) = pattern.split_at(pattern.find('{')?);
    // Regular expressions may contain braces.
    let mut open = 0;
    let end = value.find(|character| {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        open == 0
    })?;
    Some((before, value.get(1..end)?, value.get(end + 1..)?))
}
