//! Redaction of query and header values.

use std::iter;

use http::HeaderName;

use crate::http::secret_names::is_secret;
use crate::http::text_buffer::TextBuffer;
use crate::http::url_redaction::{Redactor, is_plain_text};
use crate::propagation::HeaderView;
use crate::text::{hex_digit, prefix};

/// The text that replaces a redacted value.
pub(crate) const REDACTED: &str = "REDACTED";

/// Maximum length of a query key that is not redacted, in bytes after percent-decoding. Longer keys may be tokens.
const LONGEST_KEY: usize = 32;

/// The query values that are redacted, in the request's URL and in URLs of headers. All by default.
///
/// Parameters are separated by `&` and `;`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryRedaction {
    /// All values. The default.
    ///
    /// A key is shown if it has, after percent-decoding, at most 32 bytes of ASCII letters, digits, `_`, `.`, `-`, `[`
    /// and `]`. A parameter without a value is redacted as a whole, because it may be a token; a value that consists
    /// only of `=` is taken for the end of a padded token.
    #[default]
    AllValues,
    /// The values of these keys.
    ///
    /// Keys are compared after percent-decoding, with `+` as a blank, and without regard to ASCII case. If a key has
    /// parts in brackets, such as `user[name]`, one listed part is enough. The text after a redacted value up to the
    /// next `&` is redacted, too, because not every server takes `;` for a separator.
    Keys(Vec<String>),
    /// No value.
    Nothing,
}

impl QueryRedaction {
    /// Returns the keys that OpenTelemetry's HTTP convention names: signatures and credentials of cloud storage.
    ///
    /// They are compared as [`Keys`](Self::Keys) describes: `X%2DAmz-signature` is one of them.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, QueryRedaction};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .query_redaction(QueryRedaction::signatures())
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    #[must_use]
    pub fn signatures() -> Self {
        Self::Keys(
            [
                "AWSAccessKeyId",
                "Signature",
                "sig",
                "X-Amz-Credential",
                "X-Amz-Security-Token",
                "X-Amz-Signature",
                "X-Goog-Signature",
            ]
            .map(str::to_owned)
            .into(),
        )
    }

    /// Appends a query in its redacted form.
    pub(crate) fn append(&self, query: &str, out: &mut Bounded<'_>) {
        let mut after_hidden = false;
        for piece in query.split_inclusive(['&', ';']) {
            if out.is_full() {
                return;
            }
            let (parameter, separator) = match (piece.strip_suffix('&'), piece.strip_suffix(';')) {
                (Some(parameter), _) => (parameter, "&"),
                (None, Some(parameter)) => (parameter, ";"),
                (None, None) => (piece, ""),
            };
            match self {
                Self::Nothing => out.push(parameter),
                _ if parameter.is_empty() => {}
                Self::AllValues => append_without_value(parameter, out),
                Self::Keys(_) if after_hidden => out.push(REDACTED),
                Self::Keys(keys) => match parameter.split_once('=') {
                    Some((key, _)) if keys.iter().any(|hidden| is_key(key, hidden)) => {
                        out.push_all([key, "=", REDACTED]);
                        after_hidden = true;
                    }
                    _ => out.push(parameter),
                },
            }
            after_hidden &= separator == ";";
            out.push(separator);
        }
    }
}

fn append_without_value(parameter: &str, out: &mut Bounded<'_>) {
    match parameter.split_once('=') {
        Some((key, value)) if !decoded(value).all(|byte| matches!(byte, b'=' | b' ')) => {
            let key = if is_plain(key) { key } else { REDACTED };
            out.push_all([key, "=", REDACTED]);
        }
        _ => out.push(REDACTED),
    }
}

fn is_plain(key: &str) -> bool {
    let mut length = 0;
    decoded(key).all(|byte| {
        length += 1;
        length <= LONGEST_KEY
            && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']'))
    })
}

/// Returns `true` if a query's key, or a part of it in brackets, equals `hidden`.
fn is_key(key: &str, hidden: &str) -> bool {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    if decoded(key).map(lower).eq(hidden.bytes().map(lower)) {
        return true;
    }
    let mut bytes = decoded(key).map(lower).peekable();
    while bytes.peek().is_some() {
        let mut wanted = hidden.bytes().map(lower);
        let mut same = true;
        // Reads to the end of the part, even if it is a different one.
        for byte in bytes
            .by_ref()
            .take_while(|byte| !matches!(byte, b'[' | b']'))
        {
            same &= wanted.next() == Some(byte);
        }
        if same && wanted.next().is_none() {
            return true;
        }
    }
    false
}

/// Returns the bytes of a key or a value, percent-decoded (RFC 3986, section 2.1) and with `+` as a blank, as in forms.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let digit = |byte: Option<u8>| hex_digit(byte?);
    let mut bytes = text.bytes();
    iter::from_fn(move || match bytes.next()? {
        b'+' => Some(b' '),
        b'%' => {
            let mut ahead = bytes.clone();
            match (digit(ahead.next()), digit(ahead.next())) {
                (Some(high), Some(low)) => {
                    bytes = ahead;
                    Some(high << 4 | low)
                }
                _ => Some(b'%'),
            }
        }
        byte => Some(byte),
    })
}

/// Text that grows up to a limit, so that text beyond it is not written at all.
pub(crate) struct Bounded<'a> {
    text: &'a mut TextBuffer,
    end: usize,
}

impl<'a> Bounded<'a> {
    /// Creates a limit of a little more than `limit` bytes for what is appended to `text`, so that the caller can see
    /// that there was more.
    pub(crate) fn new(text: &'a mut TextBuffer, limit: usize) -> Self {
        let longest_character = 4;
        let end = text
            .len()
            .saturating_add(limit)
            .saturating_add(longest_character);
        Self { text, end }
    }

    pub(crate) fn push(&mut self, text: &str) {
        let room = self.end.saturating_sub(self.text.len());
        self.text.push_str(prefix(text, room));
    }

    /// Appends ASCII text.
    fn push_ascii(&mut self, text: &[u8]) {
        let room = self.end.saturating_sub(self.text.len());
        self.text.push_ascii(text.get(..room).unwrap_or(text));
    }

    pub(crate) fn push_all<const N: usize>(&mut self, parts: [&str; N]) {
        parts.into_iter().for_each(|part| self.push(part));
    }

    /// Returns `true` if there is no room for another character.
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() >= self.end
    }
}

/// How a header's value is redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HeaderRule {
    /// As a whole.
    Secret,
    /// As the authority of a URL, or several of them.
    Host,
    /// As a URI reference (RFC 3986, section 4.1).
    Reference,
    /// As references in angle brackets (RFC 8288, section 3).
    Link,
    /// As a time and a reference (HTML, "Refresh").
    Refresh,
    /// As text that may contain URLs.
    Text,
}

/// Headers whose value is an authority without a scheme.
const HOSTS: [&str; 3] = ["host", "x-forwarded-host", "x-original-host"];

/// Headers whose value is a URI reference, besides those whose names end with `url` or `uri`.
const REFERENCES: [&str; 17] = [
    "content-location",
    "destination",
    "hx-redirect",
    "location",
    "ping-from",
    "ping-to",
    "referer",
    "referrer",
    "sourcemap",
    "x-accel-redirect",
    "x-envoy-original-path",
    "x-forwarded-path",
    "x-inertia-location",
    "x-original-path",
    "x-referer",
    "x-sendfile",
    "x-sourcemap",
];

impl HeaderRule {
    /// Returns how the values of the header with this name are redacted.
    pub(crate) fn of(name: &HeaderName) -> Self {
        let name = name.as_str();
        if is_secret(name) {
            return Self::Secret;
        }
        match name {
            "link" => Self::Link,
            "refresh" => Self::Refresh,
            _ if HOSTS.contains(&name) => Self::Host,
            _ if REFERENCES.contains(&name) || name.ends_with("url") || name.ends_with("uri") => {
                Self::Reference
            }
            _ => Self::Text,
        }
    }
}

/// Appends the values of a header, joined by `, `: redacted by `rule`, or unchanged without one. Returns `true` if
/// there is a value.
pub(crate) fn append_header(
    headers: &dyn HeaderView,
    name: &HeaderName,
    rule: Option<HeaderRule>,
    queries: &QueryRedaction,
    out: &mut Bounded<'_>,
) -> bool {
    let mut any = false;
    headers.header_values(name.as_str(), &mut |value| {
        if any {
            out.push(", ");
        }
        any = true;
        // A hidden value need not be decoded.
        if rule == Some(HeaderRule::Secret) {
            out.push(REDACTED);
        } else if matches!(rule, Some(HeaderRule::Text) | None) && is_plain_text(value) {
            out.push_ascii(value);
        } else if !out.is_full() {
            match std::str::from_utf8(value) {
                Ok(text) => append_value(text, rule, queries, out),
                Err(_) => append_value(&String::from_utf8_lossy(value), rule, queries, out),
            }
        }
    });
    any
}

/// Appends one value of a header.
pub(crate) fn append_value(
    value: &str,
    rule: Option<HeaderRule>,
    queries: &QueryRedaction,
    out: &mut Bounded<'_>,
) {
    let mut redactor = Redactor::new(queries, out);
    match rule {
        Some(HeaderRule::Secret) => redactor.hide(),
        Some(HeaderRule::Host) => redactor.host(value),
        Some(HeaderRule::Reference) => redactor.reference(value),
        Some(HeaderRule::Link) => redactor.link(value),
        Some(HeaderRule::Refresh) => redactor.refresh(value),
        Some(HeaderRule::Text) => redactor.text(value),
        None => out.push(value),
    }
}
