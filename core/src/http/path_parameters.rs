//! The parameters of a path, read from the path and the template of its route.

use std::iter;

use crate::http::secret_names::is_secret;
use crate::propagation::percent::decode_strictly;

/// Returns name and value of each parameter of `template`, in the order of the path. Values are as the client sent them: not
/// decoded. Parameters without a name and without a value are left out.
///
/// Templates are those of every framework: `{id}`, `{id:[0-9]+}`, `{*rest}`, `{rest}*`, `<id>`, `<rest..>`, `:id`, `*rest`. Text
/// before and after a parameter in brackets is allowed. If one segment has several parameters, they are left out, because they cannot be told
/// apart. If the path does not fit, there are no parameters. If the end of the path was cut off, either the last value is cut as
/// well, or the path does not fit.
pub(super) fn parameters<'a>(template: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    find(template, path).unwrap_or_default()
}

fn find<'a>(template: &'a str, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = Vec::new();
    let mut segments = segments(template).peekable();
    let mut rest = Some(path);
    while let Some(segment) = segments.next() {
        let parameter = Parameter::of(segment);
        let takes_all = parameter
            .as_ref()
            .is_some_and(|parameter| parameter.takes_all);
        let (own, after) = match segments.peek() {
            None if takes_all => (rest.unwrap_or_default(), None),
            _ => next(rest?),
        };
        rest = after;
        match parameter {
            Some(parameter) => {
                let value = own.strip_prefix(parameter.before)?;
                let value = value.strip_suffix(parameter.after)?;
                if !parameter.name.is_empty() && !value.is_empty() {
                    found.push((parameter.name, value));
                }
            }
            None if segment.contains(['{', '<']) || is_same(segment, own) => {}
            None => return None,
        }
    }
    // A slash at the end may be in the path alone.
    rest.is_none_or(str::is_empty).then_some(found)
}

/// Returns `true` if a segment of a path is this text. Frameworks compare them decoded.
fn is_same(text: &str, segment: &str) -> bool {
    segment == text || decode_strictly(segment).is_some_and(|decoded| decoded == text)
}

/// Returns the first segment, and what follows its slash.
fn next(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}

/// Returns the segments of a template. A slash within braces belongs to a regular expression.
fn segments(template: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(template);
    iter::from_fn(move || {
        let text = rest?;
        let mut depth = 0_usize;
        let end = text.bytes().position(|byte| {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            byte == b'/' && depth == 0
        });
        rest = end.and_then(|end| text.get(end + 1..));
        Some(end.and_then(|end| text.get(..end)).unwrap_or(text))
    })
}

/// The only parameter of a segment.
struct Parameter<'a> {
    before: &'a str,
    name: &'a str,
    after: &'a str,
    /// Whether the value can contain slashes, if the segment is the last one.
    takes_all: bool,
}

impl<'a> Parameter<'a> {
    fn of(segment: &'a str) -> Option<Self> {
        Self::after_sign(segment).or_else(|| Self::in_brackets(segment))
    }

    /// Reads a segment that begins with a colon, or with an asterisk for all that is left.
    fn after_sign(segment: &'a str) -> Option<Self> {
        let takes_all = segment.starts_with('*');
        let name = segment.strip_prefix([':', '*'])?;
        // What follows a bracket is poem's regular expression.
        let name = name.split('<').next().unwrap_or_default();
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
        (is_name && !name.contains([':', '{', '*'])).then_some(Self {
            before: "",
            name,
            after: "",
            takes_all,
        })
    }

    fn in_brackets(segment: &'a str) -> Option<Self> {
        let (before, opened) = segment.split_at_checked(segment.find(['{', '<'])?)?;
        let close = match opened.as_bytes().first() {
            Some(b'{') => matching_brace(opened)?,
            _ => opened.find('>')?,
        };
        let (inside, after) = (opened.get(1..close)?, opened.get(close + 1..)?);
        let (name, has_expression) = match inside.split_once(':') {
            Some((name, _)) => (name, true),
            None => (inside, false),
        };
        // `{*rest}` is axum's, `<rest..>` is Rocket's, and `{rest}*` is actix-web's.
        let plain = name.trim_start_matches('*').trim_end_matches('.');
        let text_after = after.trim_end_matches('*');
        let is_only = !plain.contains(['{', '}', '<']) && !text_after.contains(['{', '<']);
        is_only.then_some(Self {
            before,
            // Rocket's sign for a segment that is ignored.
            name: if plain == "_" { "" } else { plain },
            after: text_after,
            takes_all: has_expression || plain != name || text_after != after,
        })
    }
}

/// Returns the position of the brace that closes the one at the start.
fn matching_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

/// Returns `true` if the parameter of this name carries a credential.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    is_secret(&name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_the_templates_of_every_framework() {
        for (template, path, expected) in [
            ("/items/{id}", "/items/7", "id=7"),
            ("/items/<id>", "/items/7", "id=7"),
            ("/items/{id}", "/items/a%2Fb", "id=a%2Fb"),
            ("/{a}/x/{b}", "/1/x/2", "a=1 b=2"),
            ("/files/{*rest}", "/files/a/b.css", "rest=a/b.css"),
            ("/files/<rest..>", "/files/a/b.css", "rest=a/b.css"),
            ("/files/<rest..>", "/files", ""),
            ("/files/{rest:.*}", "/files/a/b", "rest=a/b"),
            ("/files/{rest}*", "/files/a/b", "rest=a/b"),
            ("/n/{id:[0-9]{1,3}}/x", "/n/12/x", "id=12"),
            ("/p/{a:x/y}/z", "/p/1/z", "a=1"),
            ("/items/{id}.json", "/items/7.json", "id=7"),
            ("/items/v{id}", "/items/v7", "id=7"),
            ("/items/:id", "/items/7", "id=7"),
            ("/items/:id<\\d+>/x", "/items/7/x", "id=7"),
            ("/files/*rest", "/files/a/b", "rest=a/b"),
            ("/things/a:b", "/things/a:b", ""),
            ("/:7/{id}", "/:7/8", "id=8"),
            ("/<_>/<id>", "/x/7", "id=7"),
            ("/<_id>", "/7", "_id=7"),
            ("/{a}-{b}/{c}", "/1-2/3", "c=3"),
            ("/{a:x+}-{b:y+}/{c}", "/x-y/3", "c=3"),
            ("/caf\u{e9}/{id}", "/caf%C3%A9/7", "id=7"),
            ("/items/{id}", "/items/7/", "id=7"),
            ("/items/{id}", "/items/7/8", ""),
            ("/items/", "/items/", ""),
            ("/", "/", ""),
            // What does not fit has none.
            ("/items/{id}/x", "/items/7", ""),
            ("/items/{id}.json", "/items/7.xml", ""),
            ("/other/{id}", "/items/7", ""),
            ("/items/{id", "/items/7", ""),
            ("/items/{}", "/items/7", ""),
            ("", "/items/7", ""),
            ("*", "*", ""),
        ] {
            let found = parameters(template, path);
            let found: Vec<_> = found
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(found.join(" "), expected, "{template} {path}");
        }
    }

    #[test]
    fn no_template_and_no_path_panics() {
        let parts = [
            "", "/", "{", "}", "<", ">", "*", "..", ":", "a", "\u{e4}", "{a}", "<b..>",
        ];
        let mut texts = Vec::new();
        for a in parts {
            for b in parts {
                texts.extend(parts.map(|c| format!("/{a}{b}{c}")));
            }
        }
        for template in &texts {
            for path in ["/a", "/a/a", "/\u{e4}/", "", "/{a}/<b>"] {
                assert!(parameters(template, path).len() <= 3, "{template} {path}");
            }
        }
    }

    #[test]
    fn secrets_are_known_by_words_in_names() {
        for (name, secret) in [
            ("token", true),
            ("resetToken", true),
            ("id", false),
            ("api_key", true),
        ] {
            assert_eq!(is_secret_parameter(name), secret, "{name}");
        }
    }
}
