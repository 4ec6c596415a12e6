//! Removes secrets from URLs in header values: user information, query values, fragments.
//!
//! Values come from the network, and readers parse URLs in different ways: text that two readers could understand
//! differently is redacted. Every function takes time proportional to the value's length.

use crate::http::redaction::{Bounded, QueryRedaction, REDACTED};

/// Characters that end an authority or the first segment of a reference; browsers take `\` for `/` (WHATWG URL,
/// "authority state").
const ENDS_AUTHORITY: [char; 4] = ['/', '\\', '?', '#'];

/// Appends header values, or parts of them, without the secrets of their URLs.
pub(crate) struct Redactor<'a, 'b> {
    queries: &'a QueryRedaction,
    out: &'a mut Bounded<'b>,
}

/// The separator between scheme and authority: a colon and slashes.
struct Separator {
    /// The position of its end.
    end: usize,
    /// Whether a part of it is percent-encoded, once or several times.
    is_encoded: bool,
}

impl<'a, 'b> Redactor<'a, 'b> {
    pub(crate) fn new(queries: &'a QueryRedaction, out: &'a mut Bounded<'b>) -> Self {
        Self { queries, out }
    }

    pub(crate) fn hide(&mut self) {
        self.out.push(REDACTED);
    }

    /// Appends a text that may contain URLs.
    ///
    /// If a URL cannot be parsed, the text after it is redacted, too, because its end is not known.
    pub(crate) fn text(&mut self, value: &str) {
        let mut rest = value;
        while let Some(separator) = find_separator(rest)
            && !self.out.is_full()
        {
            let (before, after) = split_at(rest, separator.end);
            let (url, after) = split_at(after, end_of_url(after));
            self.out.push(before);
            if separator.is_encoded {
                self.hide();
            } else if !self.after_slashes(url) {
                return;
            }
            rest = after;
        }
        self.out.push(rest);
    }

    /// Appends a URI reference.
    ///
    /// A reference without slashes after its scheme, such as `mailto:` and `data:`, is redacted: any part of it may be
    /// a secret.
    pub(crate) fn reference(&mut self, value: &str) {
        let value = value.trim_matches(|character| character <= ' ');
        // Browsers remove tabs from every position.
        if value.chars().any(|character| character.is_ascii_control()) {
            return self.hide();
        }
        let (first, rest) = split_at_first(value, ENDS_AUTHORITY);
        let slashes = rest.len() - rest.trim_start_matches(['/', '\\']).len();
        let is_network_path = first.is_empty() && slashes >= 2;
        let has_scheme = slashes >= 1 && first.strip_suffix(':').is_some_and(is_scheme);
        if is_network_path || has_scheme {
            let (start, url) = split_at(value, first.len() + slashes);
            self.out.push(start);
            self.after_slashes(url);
        } else if first.contains(':') {
            self.hide();
        } else {
            self.path(value);
        }
    }

    /// Appends the authority in a `Host` header, or several, separated by commas.
    pub(crate) fn host(&mut self, value: &str) {
        if value.starts_with(['/', '\\']) || find_separator(value).is_some() {
            return self.reference(value);
        }
        let (authority, rest) = split_at_first(value, ENDS_AUTHORITY);
        let host = without_user_information(authority);
        if is_authority(host) {
            self.out.push(host);
            self.path(rest);
        } else {
            self.hide();
        }
    }

    /// Appends a value of the header `Link`: references in angle brackets, each with its parameters.
    pub(crate) fn link(&mut self, value: &str) {
        let mut rest = value;
        while let Some((parameters, reference)) = rest.split_once('<')
            && !self.out.is_full()
        {
            self.parameters(parameters);
            self.out.push("<");
            let Some((reference, after)) = reference.split_once('>') else {
                return self.reference(reference);
            };
            self.reference(reference);
            self.out.push(">");
            rest = after;
        }
        self.parameters(rest);
    }

    /// Appends the parameters between the references of a `Link`: words, of which those of `anchor` are references.
    fn parameters(&mut self, text: &str) {
        let is_end = |character: char| character == '"' || character.is_ascii_whitespace();
        let mut rest = text;
        loop {
            let (word, after) = split_at(rest, rest.find(is_end).unwrap_or(rest.len()));
            let is_plain = !word.contains(['?', '#', '@', '\\', '%'])
                && !word.contains("//")
                && word.find(':').is_none_or(|at| at + 1 == word.len());
            if is_plain {
                self.out.push(word);
            } else if word.contains('@') {
                self.hide();
            } else {
                self.reference(word);
            }
            let length = after.chars().next().map_or(0, char::len_utf8);
            if length == 0 || self.out.is_full() {
                return;
            }
            let (end, after) = split_at(after, length);
            self.out.push(end);
            rest = after;
        }
    }

    /// Appends a value of the header `Refresh`: seconds, then a reference, which may follow `url=` and a quote.
    pub(crate) fn refresh(&mut self, value: &str) {
        let is_time = |character: char| {
            character.is_ascii_digit() || matches!(character, '.' | ';' | ',' | ' ' | '\t')
        };
        let mut rest = value.trim_start_matches(is_time);
        if let Some(after) = after_url_equals(rest) {
            rest = after;
        }
        let quote = rest
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        let after_quote = quote.and_then(|quote| rest.strip_prefix(quote));
        let rest = after_quote.unwrap_or(rest);
        self.out.push(value.strip_suffix(rest).unwrap_or_default());
        match quote.and_then(|quote| rest.split_once(quote)) {
            Some((reference, _)) => {
                self.reference(reference);
                self.out.push(if quote == Some('"') { "\"" } else { "'" });
            }
            None => self.reference(rest),
        }
    }

    /// Appends a path and its query, which may contain another URL.
    fn path(&mut self, text: &str) {
        let (path, query) = split_at_first(text, ['?', '#']);
        let Some(separator) = find_separator(path) else {
            self.out.push(path);
            return self.query(query);
        };
        let (before, url) = split_at(text, separator.end);
        self.out.push(before);
        if separator.is_encoded {
            self.hide();
        } else {
            self.after_slashes(url);
        }
    }

    /// Appends the text after the slashes of a URL: an authority without its user information, a path, a query. Redacts
    /// it and returns `false` if the authority is not valid.
    fn after_slashes(&mut self, url: &str) -> bool {
        let (hierarchy, query) = split_at_first(url, ['?', '#']);
        let last_at = hierarchy.rfind('@').unwrap_or(0);
        let mut rest = hierarchy;
        loop {
            let (authority, path) = split_at_first(rest, ['/', '\\']);
            let host = without_user_information(authority);
            // This is the start of a password that continues after the slash.
            let path_start = hierarchy.len() - path.len();
            let is_cut = host.ends_with(':') && last_at > path_start;
            if is_cut || !is_authority(host) {
                self.hide();
                return false;
            }
            self.out.push(host);
            let Some(separator) = find_separator(path) else {
                self.out.push(path);
                self.query(query);
                return true;
            };
            // There is another URL in the path.
            let (before, after) = split_at(path, separator.end);
            self.out.push(before);
            if separator.is_encoded {
                self.hide();
                return true;
            }
            rest = after;
        }
    }

    /// Appends a query that starts with its question mark; leaves a fragment out.
    fn query(&mut self, text: &str) {
        if let Some(query) = text.strip_prefix('?') {
            let (query, _) = split_at_first(query, ['#']);
            self.out.push("?");
            self.queries.append(query, self.out);
        }
    }
}

/// Returns the text after the last `@`: user information may contain others (WHATWG URL, "authority state").
fn without_user_information(authority: &str) -> &str {
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

/// Returns `true` if this can only be hosts with their ports, separated by commas. Percent-encoding is not allowed in
/// hosts here, because some readers take `%40` for an `@`.
fn is_authority(text: &str) -> bool {
    text.split(',').all(|host| {
        let host = host.trim_matches(' ');
        let (is_host, port) = match host.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((address, port)) => (address.chars().all(is_of_address), port),
                None => (false, ""),
            },
            None => {
                let (name, port) = split_at_first(host, [':']);
                (name.chars().all(is_of_name), port)
            }
        };
        is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
    })
}

fn is_of_address(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, ':' | '.' | '%' | '-' | '_')
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(
            character,
            '-' | '.' | '_' | '~' | '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ';' | '='
        )
}

/// Returns `true` for a port, for empty text, or for the `*` of a content security policy, with punctuation of the
/// surrounding text.
fn is_port(port: &str) -> bool {
    let port = port.trim_end_matches([';', ')', '.']);
    port.is_empty() || port == "*" || port.parse::<u16>().is_ok()
}

/// Returns `true` for a scheme (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_of_scheme)
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// Finds a colon and the slashes after it. One slash is enough, because browsers and proxies add or remove the others.
fn find_separator(text: &str) -> Option<Separator> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let rest = bytes.get(from..)?;
        let found = rest.iter().position(|byte| matches!(byte, b':' | b'%'))?;
        let rest = rest.get(found..)?;
        from += found;
        if let Some(separator) = separator(rest) {
            return Some(Separator {
                end: from + separator.end,
                ..separator
            });
        }
        from += 1;
    }
}

/// Returns `true` if a value is ASCII without any byte that a separator could start with, as most values are: it
/// contains no URL.
///
/// Bytes are examined many at a time, without a branch for each one; the last ones perhaps twice.
pub(crate) fn is_plain_text(value: &[u8]) -> bool {
    fn wrong<const N: usize>(bytes: &[u8; N]) -> u8 {
        bytes.iter().fold(0, |wrong, byte| {
            wrong | (byte & 0x80) | u8::from(*byte == b':') | u8::from(*byte == b'%')
        })
    }
    let (chunks, rest) = value.as_chunks::<16>();
    let mut all = chunks.iter().fold(0, |all, chunk| all | wrong(chunk));
    if let (false, Some(last)) = (rest.is_empty(), value.last_chunk::<16>()) {
        all |= wrong(last);
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        all |= wrong(first) | wrong(last);
    } else {
        all |= rest.iter().fold(0, |all, byte| all | wrong(&[*byte]));
    }
    all == 0
}

/// Parses a colon and at least one slash, each plain or percent-encoded.
fn separator(text: &[u8]) -> Option<Separator> {
    let colon = length(text, b":", &[*b"3a"])?;
    let mut separator = Separator {
        end: colon,
        is_encoded: colon > 1,
    };
    while let Some(slash) = length(text.get(separator.end..)?, br"/\", &[*b"2f", *b"5c"]) {
        separator.end += slash;
        separator.is_encoded |= slash > 1;
    }
    (separator.end > colon).then_some(separator)
}

/// Returns the length of one of these characters, plain or percent-encoded, if the text starts with it.
fn length(text: &[u8], plain: &[u8], digits: &[[u8; 2]]) -> Option<usize> {
    match plain.contains(text.first()?) {
        true => Some(1),
        false => encoded(text, digits),
    }
}

/// Returns the length of a percent-encoded character for one of these pairs of digits, encoded any number of times.
fn encoded(text: &[u8], digits: &[[u8; 2]]) -> Option<usize> {
    let [b'%', rest @ ..] = text else {
        return None;
    };
    let mut length = 1;
    let mut rest = rest;
    while let [b'2', b'5', after @ ..] = rest {
        length += 2;
        rest = after;
    }
    let [high, low, ..] = rest else {
        return None;
    };
    let pair = [high.to_ascii_lowercase(), low.to_ascii_lowercase()];
    digits.contains(&pair).then_some(length + 2)
}

/// Returns where a URL in a text ends: before white space, `"` or `>`, and before a `,` or `'` that is followed by
/// another URL or the end. Other `,` and `'` may be part of its query.
fn end_of_url(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.iter().enumerate().position(|(at, byte)| match byte {
        b'"' | b'>' => true,
        b',' | b'\'' => bytes.get(at + 1..).is_some_and(starts_with_scheme),
        byte => byte.is_ascii_whitespace(),
    });
    let (url, _) = split_at(text, end.unwrap_or(text.len()));
    url.trim_end_matches([',', '\'']).len()
}

fn starts_with_scheme(text: &[u8]) -> bool {
    let length = text.iter().take_while(|byte| is_of_scheme(**byte)).count();
    length > 0 && text.get(length..).and_then(separator).is_some()
}

/// Returns the text after `url=`, with blanks around the `=`, if the text starts with that.
fn after_url_equals(text: &str) -> Option<&str> {
    let (url, rest) = text.split_at_checked(3)?;
    let rest = rest.trim_start().strip_prefix('=')?;
    url.eq_ignore_ascii_case("url").then(|| rest.trim_start())
}

fn split_at_first<const N: usize>(text: &str, characters: [char; N]) -> (&str, &str) {
    split_at(text, text.find(characters).unwrap_or(text.len()))
}

/// Splits at a position that ends a character; otherwise nothing is before it.
fn split_at(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_byte_is_found_at_every_position() {
        for length in 0..70 {
            let plain = vec![b'a'; length];
            assert!(is_plain_text(&plain), "{length}");
            for at in 0..length {
                for wrong in [b':', b'%', 0x80, 0xff] {
                    let mut value = plain.clone();
                    value[at] = wrong;
                    assert!(!is_plain_text(&value), "{length} {at} {wrong}");
                }
            }
        }
    }
}
