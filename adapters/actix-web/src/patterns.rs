//! Which pattern of a resource matched a request.
//!
//! A resource may have several patterns, as in `web::resource(["/users", "/users/{id}"])`. actix-web returns the first of
//! them for every request to the resource, so each is compared with the request before it names anything.

use actix_web::HttpRequest;
use actix_web::dev::{Path, Url};

/// Returns the pattern that matched the request, all scopes included; `None` if none did.
///
/// Where it is not the resource's first pattern it is put together from what the router captured, so it lacks the
/// regular expressions that follow the names.
pub(crate) fn matched(request: &HttpRequest) -> Option<String> {
    let pattern = request.match_pattern()?;
    let captured = request.match_info();
    if yields(&pattern, captured) == Some(true) {
        return Some(pattern);
    }
    match captured.unprocessed() {
        // The router has gone to the end of the path.
        "" => Some(template(captured)),
        // The router has found nothing, and the pattern stems from a search by the path: guards refuse the request.
        _ => fits(&pattern, captured.as_str()).then_some(pattern),
    }
}

/// Whether the pattern, with what the router captured in the places of its names, is what the router went through.
fn yields(pattern: &str, captured: &Path<Url>) -> Option<bool> {
    let mut rest = captured.as_str().strip_suffix(captured.unprocessed())?;
    let mut values = captured.iter();
    for piece in Pieces(pattern) {
        let text = match piece {
            Piece::Text(text) => text,
            // A regular expression may capture more than is named here.
            Piece::Value { name, .. } => values.find(|(captured, _)| *captured == name)?.1,
        };
        rest = rest.strip_prefix(text)?;
    }
    Some(rest.is_empty())
}

/// The path with names in the places of what the router captured. What remains is text of the pattern, so the number of
/// different templates is that of the patterns.
fn template(captured: &Path<Url>) -> String {
    let path = captured.as_str();
    let mut template = String::with_capacity(path.len());
    let mut done = 0;
    for (name, value) in captured.iter() {
        // A captured value is a part of the path; one that a middleware added is not, and one within another is left out.
        let start = value.as_ptr().addr().wrapping_sub(path.as_ptr().addr());
        let before = path.get(done..start);
        let end = start.saturating_add(value.len());
        if let Some(before) = before.filter(|_| end <= path.len()) {
            template.push_str(before);
            template.push('{');
            template.push_str(name);
            template.push('}');
            done = end;
        }
    }
    template.push_str(path.get(done..).unwrap_or_default());
    template
}

/// Whether the pattern may match the whole path. Regular expressions are not run: they count as any text.
fn fits(pattern: &str, path: &str) -> bool {
    rest_after(pattern, path) == Some("")
}

/// What of the path remains after the pattern, in time that grows with the path's length.
fn rest_after<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let mut rest = path;
    let mut pieces = Pieces(pattern);
    while let Some(piece) = pieces.next() {
        let is_segment = match piece {
            Piece::Value { is_segment, .. } => is_segment,
            Piece::Text(text) => {
                rest = rest.strip_prefix(text)?;
                continue;
            }
        };
        // A value goes to the next place where the text behind it begins, and the last one to the end.
        let least = match rest.chars().next() {
            Some(first) if is_segment => first.len_utf8(),
            _ => 0,
        };
        let mut ahead = Pieces(pieces.0);
        let end = match ahead.next() {
            Some(Piece::Text(text)) if ahead.0.is_empty() => rest.strip_suffix(text)?.len(),
            Some(Piece::Text(text)) => least + rest.get(least..)?.find(text)?,
            Some(Piece::Value { .. }) => least,
            None => rest.len(),
        };
        let (value, behind) = rest.split_at_checked(end)?;
        if is_segment && (value.is_empty() || value.contains('/')) {
            return None;
        }
        rest = behind;
    }
    Some(rest)
}

/// A part of a pattern.
enum Piece<'p> {
    Text(&'p str),
    /// `{name}`, which is a segment or a part of one, or `{name:regex}` or `{name}*`, which are not.
    Value {
        name: &'p str,
        is_segment: bool,
    },
}

/// The parts of a pattern, as actix-web's `ResourceDef` reads them.
struct Pieces<'p>(&'p str);

impl<'p> Iterator for Pieces<'p> {
    type Item = Piece<'p>;

    fn next(&mut self) -> Option<Piece<'p>> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        // Patterns are short: to find it byte by byte is the fastest way.
        let end = text.bytes().position(|byte| byte == b'{');
        let end = end.unwrap_or(text.len());
        if end > 0 {
            let (before, behind) = text.split_at_checked(end)?;
            self.0 = behind;
            return Some(Piece::Text(before));
        }
        let (value, behind) = text.split_at_checked(closing(text)? + 1)?;
        let value = value.strip_prefix('{')?.strip_suffix('}')?;
        let is_tail = behind == "*";
        self.0 = if is_tail { "" } else { behind };
        let (name, has_regex) = match value.split_once(':') {
            Some((name, _)) => (name, true),
            None => (value, false),
        };
        Some(Piece::Value {
            name,
            is_segment: !is_tail && !has_regex,
        })
    }
}

/// Where the brace is closed that the text begins with; regular expressions may have braces of their own.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    text.find(|character| {
        match character {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ => return false,
        }
        open == 0
    })
}
