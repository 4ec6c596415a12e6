//! What is kept out of tags.

use std::iter;

use http::HeaderName;

use crate::http::secret_names::is_secret;
use crate::http::text_buffer::TextBuffer;
use crate::http::url_redaction::{Redactor, is_plain_text};
use crate::propagation::HeaderView;
use crate::text::{hex_digit, prefix};

/// What stands in the place of a value that is kept out of tags.
pub(crate) const REDACTED: &str = "REDACTED";

/// The longest key of a query that is shown, in bytes after percent-decoding. What is longer may be a token.
const LONGEST_KEY: usize = 32;

/// Which values of a query are kept out of tags: of the request's own, and of those in URLs that headers carry.
///
/// Parameters are separated by `&` and by `;`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryRedaction {
    /// All values. The default.
    ///
    /// A key stays if it is, after percent-decoding, at most 32 bytes of ASCII letters, digits, `_`, `.`, `-`, `[` and `]`.
    /// A parameter without a value is redacted whole, since it may be a bare token; a value of nothing but `=` is the end of
    /// a padded one, and counts as none.
    #[default]
    AllValues,
    /// The values of these keys.
    ///
    /// A query's keys are compared after percent-decoding, with `+` as a blank, and without regard to ASCII case. Where a key
    /// has parts in brackets, such as `user[name]`, one part that is listed is enough. What follows a redacted value up to the
    /// next `&` is redacted as well: not every server takes `;` for a separator.
    Keys(Vec<String>),
    /// None.
    Nothing,
}

impl QueryRedaction {
    /// Returns the keys that OpenTelemetry's HTTP convention names: signatures and credentials of cloud storage.
    ///
    /// They are compared as [`Keys`](Self::Keys) describes: `X%2DAmz-signature` is one of them.
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

    /// Appends a query as it may be shown.
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

/// Returns whether a query's key, or a part of it in brackets, is this one.
fn is_key(key: &str, hidden: &str) -> bool {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    if decoded(key).map(lower).eq(hidden.bytes().map(lower)) {
        return true;
    }
    let mut bytes = decoded(key).map(lower).peekable();
    while bytes.peek().is_some() {
        let mut wanted = hidden.bytes().map(lower);
        let mut same = true;
        // To the part's end, also where it is another.
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

/// The bytes of a key or a value, percent-decoded (RFC 3986, section 2.1) and with `+` as a blank, as forms have it.
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

/// A text that grows to a bound, so that what is cut off anyway is not written first.
pub(crate) struct Bounded<'a> {
    text: &'a mut TextBuffer,
    end: usize,
}

impl<'a> Bounded<'a> {
    /// Bounds what is appended to `text` to a little more than `limit` bytes: so that it can be seen that there was more.
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

    /// Appends what is ASCII.
    fn push_ascii(&mut self, text: &[u8]) {
        let room = self.end.saturating_sub(self.text.len());
        self.text.push_ascii(text.get(..room).unwrap_or(text));
    }

    pub(crate) fn push_all<const N: usize>(&mut self, parts: [&str; N]) {
        parts.into_iter().for_each(|part| self.push(part));
    }

    /// Returns whether there is no room for another character.
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() >= self.end
    }
}

/// How a header's value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HeaderRule {
    /// Not at all.
    Secret,
    /// As the authority of a URL, or several of them.
    Host,
    /// As a URI reference (RFC 3986, section 4.1).
    Reference,
    /// As references in angle brackets (RFC 8288, section 3).
    Link,
    /// As a time and a reference (HTML, "Refresh").
    Refresh,
    /// As text that may hold URLs.
    Text,
}

/// Headers whose value is an authority, without a scheme.
const HOSTS: [&str; 3] = ["host", "x-forwarded-host", "x-original-host"];

/// Headers whose value is a URI reference, beside those whose names end with `url` or `uri`.
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
    /// Returns how the values of the header of this name are shown.
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

/// Appends the values of a header, joined by `, `, as they may be shown by `rule`, or as they are without one; returns
/// whether there are any.
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
        // What is not shown is not decoded either.
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
