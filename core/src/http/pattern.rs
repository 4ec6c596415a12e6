//! Patterns for methods and paths.

use std::fmt;
use std::str::FromStr;

use crate::http::method::is_miswritten;
use crate::text::is_token;

/// A pattern for a request's method and path. It works the same in every framework, because it is used before the
/// framework knows the route.
///
/// | written | matches |
/// |---|---|
/// | `/health` | this path, any method |
/// | `GET /health` | this path, this method |
/// | `GET,HEAD /static/*` | these methods, `/static/` and every path below |
/// | `/users/{id}/orders` | exactly one segment, not empty, for `{id}` |
///
/// Paths are compared byte for byte as the client sent them: letter case and a slash at the end matter, nothing is
/// decoded. `*` is allowed only at the end, after a slash, and matches any rest, including an empty one; `{*rest}` is
/// the same. `GET` does not include `HEAD`. A pattern that cannot match, such as `get /x` or another router's
/// `/users/:id`, is an error.
///
/// ```
/// use opentracing_http::Pattern;
///
/// let orders: Pattern = "GET /users/{id}/orders".parse()?;
/// assert!(orders.matches("GET", "/users/7/orders"));
/// assert!(!orders.matches("GET", "/users/7/orders/"));
/// assert!("users".parse::<Pattern>().is_err());
/// assert_eq!(orders.to_string(), "GET /users/{id}/orders");
/// # Ok::<(), opentracing_http::error::ParsePatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Empty for any method.
    methods: Vec<String>,
    segments: Vec<Segment>,
    /// Whether any rest matches.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Text(String),
    /// Any that is not empty, and the name that it was given.
    Any(String),
}

impl Pattern {
    /// Returns `true` if a request with this method and path matches. It does not allocate, and takes time proportional
    /// to the path's length.
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        if !self.methods.is_empty() && !self.methods.iter().any(|known| known == method) {
            return false;
        }
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut rest = path.split('/');
        for segment in &self.segments {
            match (segment, rest.next()) {
                (Segment::Text(text), Some(found)) if text == found => {}
                (Segment::Any(_), Some(found)) if !found.is_empty() => {}
                _ => return false,
            }
        }
        // An open pattern requires the slash before its `*`, and so at least one more segment, which may be empty.
        rest.next().is_some() == self.open
    }
}

/// Writes the pattern as it can be parsed: methods, a blank, the path. `{*rest}` is written `*`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => write!(f, "/{text}")?,
                Segment::Any(name) => write!(f, "/{{{name}}}")?,
            }
        }
        f.write_str(if self.open { "/*" } else { "" })
    }
}

impl FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, ParsePatternError> {
        let error = |problem| ParsePatternError {
            text: text.to_owned(),
            problem,
        };
        let (methods, path) = match text.trim().rsplit_once(' ') {
            Some((methods, path)) => (
                methods
                    .split(',')
                    .map(|method| method.trim().to_owned())
                    .collect(),
                path,
            ),
            None => (Vec::new(), text.trim()),
        };
        if !methods.iter().all(|method| is_token(method)) {
            return Err(error("a method is one word; separate several by commas"));
        }
        if methods.iter().any(|method| is_miswritten(method)) {
            return Err(error("methods are case-sensitive; write `GET`"));
        }
        let Some(path) = path.strip_prefix('/') else {
            return Err(error("a path starts with a slash"));
        };
        if path.contains(['?', '#']) {
            return Err(error(
                "a path ends before `?` and `#`; queries cannot be matched",
            ));
        }
        let (path, open) = match without_named_rest(path).or_else(|| path.strip_suffix('*')) {
            Some("") => ("", true),
            Some(path) => match path.strip_suffix('/') {
                Some(path) => (path, true),
                None => return Err(error("`*` is allowed only after a slash")),
            },
            None => (path, false),
        };
        if path.contains('*') {
            return Err(error(
                "`*` is allowed only at the end; use `{name}` for one segment",
            ));
        }
        let mut segments = Vec::new();
        // `/*` has no segment before its rest; `/` has one, which is empty.
        if !(open && path.is_empty()) {
            for segment in path.split('/') {
                let braced = segment
                    .strip_prefix('{')
                    .and_then(|segment| segment.strip_suffix('}'));
                segments.push(match braced {
                    Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                        Segment::Any(name.to_owned())
                    }
                    // It would be literal text here and so never match; an error is more helpful.
                    None if segment.starts_with(':') || segment.contains(['<', '>']) => {
                        return Err(error("`:name` and `<name>` are written `{name}` here"));
                    }
                    None if !segment.contains(['{', '}']) => Segment::Text(segment.to_owned()),
                    _ => return Err(error("`{name}` matches one whole segment")),
                });
            }
        }
        Ok(Self {
            methods,
            segments,
            open,
        })
    }
}

/// Removes a last segment of the form `{*rest}`.
fn without_named_rest(path: &str) -> Option<&str> {
    let (before, name) = path.strip_suffix('}')?.rsplit_once("{*")?;
    let is_segment = before.is_empty() || before.ends_with('/');
    (is_segment && !name.is_empty() && !name.contains(['/', '{', '}', '*'])).then_some(before)
}

/// The error of parsing a [`Pattern`]. It shows the text and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePatternError {
    text: String,
    problem: &'static str,
}

impl fmt::Display for ParsePatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a pattern such as \"GET /users/{{id}}\": {}",
            self.text, self.problem
        )
    }
}

impl std::error::Error for ParsePatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_methods_and_whole_paths() {
        for (pattern, method, path, expected) in [
            ("/", "GET", "/", true),
            ("/", "GET", "", false),
            ("/", "GET", "/a", false),
            ("/health", "POST", "/health", true),
            ("/health", "GET", "/health/", false),
            ("/health", "GET", "/healthy", false),
            ("/Health", "GET", "/health", false),
            ("GET /health", "GET", "/health", true),
            ("GET /health", "HEAD", "/health", false),
            ("GET,HEAD /health", "HEAD", "/health", true),
            ("GET, HEAD /health", "HEAD", "/health", true),
            ("/*", "GET", "/", true),
            ("/*", "GET", "/a/b", true),
            ("/*", "OPTIONS", "*", false),
            ("/static/*", "GET", "/static/", true),
            ("/static/*", "GET", "/static/a/b.css", true),
            ("/static/*", "GET", "/static", false),
            ("/users/{id}", "GET", "/users/7", true),
            ("/users/{id}", "GET", "/users/", false),
            ("/users/{id}", "GET", "/users/7/orders", false),
            ("/users/{id}/orders/*", "GET", "/users/7/orders/8/9", true),
            ("/users/{id}/orders", "GET", "/users//orders", false),
            ("/users/{id}/orders", "GET", "/users/%2F/orders", true),
            ("/users/{id}/orders", "GET", "/users/7/8/orders", false),
            ("/{a}/{b}", "GET", "/x/y", true),
            ("/{a}/{b}", "GET", "/x/", false),
            ("/{a}/{b}", "GET", "/x/y/z", false),
            ("/{a}/*", "GET", "/x/", true),
            ("/{a}/*", "GET", "//", false),
            ("/{*rest}", "GET", "/", true),
            ("/{*rest}", "GET", "/a/b", true),
            ("/files/{*rest}", "GET", "/files/", true),
            ("/files/{*rest}", "GET", "/files", false),
            ("/health/", "GET", "/health/", true),
            ("/health/", "GET", "/health", false),
            ("/caf\u{e9}", "GET", "/caf%C3%A9", false),
            ("/v1/things:batch", "GET", "/v1/things:batch", true),
            ("m-search /x", "m-search", "/x", true),
            (" PURGE  /x ", "PURGE", "/x", true),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(
                parsed.matches(method, path),
                expected,
                "{pattern} {method} {path}"
            );
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn patterns_are_written_as_they_are_read() {
        for (pattern, written) in [
            (" GET, HEAD  /users/{id} ", "GET,HEAD /users/{id}"),
            ("/", "/"),
            ("/*", "/*"),
            ("/files/{*rest}", "/files/*"),
            ("/health/", "/health/"),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.to_string(), written);
        }
    }

    #[test]
    fn patterns_that_cannot_match_are_refused() {
        for wrong in [
            "",
            " ",
            "health",
            "GET",
            "GET health",
            "https://example.org/",
            "G@T /x",
            "GET HEAD /x",
            "GET,,HEAD /x",
            ", /x",
            "get /x",
            "Post /x",
            "/a*",
            "/*/a",
            "/**",
            "/{}",
            "/a{b}",
            "/{a}.json",
            "/{a",
            "/{a}{b}",
            "/{a}*",
            "/{*}",
            "/x{*rest}",
            "/{*rest}/x",
            "/{a}{*rest}",
            "/x/:id",
            "/x/<id>",
            "/x/<rest..>",
            "/x?y=1",
            "/x#y",
        ] {
            let error = wrong.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
