//! W3C's `tracestate`: data of other tracing systems, which is propagated with a trace.

use std::fmt;
use std::str::FromStr;

use crate::text::TrimOws;

/// A valid `tracestate` (W3C Trace Context level 2, section 3.3): at most 32 members, each `key=value`.
///
/// It is stored as the text that is propagated: members in order, without empty members and without blanks around
/// members.
///
/// ```
/// use opentracing_http::TraceState;
///
/// let mut list = TraceState::parse([&b"congo=t61, rojo=00f0"[..], b"vendor=1"]).unwrap();
/// assert!(list.insert("rojo", "2"));
/// assert_eq!(list.as_str(), "rojo=2,congo=t61,vendor=1");
/// assert_eq!(list.get("congo"), Some("t61"));
/// assert!(!list.is_empty());
/// assert_eq!(list.to_string().parse(), Ok(list));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TraceState {
    text: String,
}

impl TraceState {
    /// Maximum number of members (section 3.3.1.1).
    pub const MAX_MEMBERS: usize = 32;

    pub(crate) const EMPTY: Self = Self {
        text: String::new(),
    };

    /// Parses the values of all `tracestate` headers of a request, in order.
    ///
    /// Returns `None` if any member breaks the grammar or there are more than 32: the specification discards such a
    /// list as a whole and uses the `traceparent` without it. Of two members with the same key the first is kept, which
    /// is the one set last (W3C's test suite expects this).
    #[must_use]
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut members = Members::new();
        headers
            .into_iter()
            .all(|header| members.append(header))
            .then(|| members.list())
    }

    /// Returns the value of the member with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        members(&self.text)
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
    }

    /// Sets a member and moves it to the front, as section 3.5 requires. If there would be more than 32 members, the
    /// last one is removed.
    ///
    /// Returns `false` and changes nothing if the key or the value breaks the grammar.
    pub fn insert(&mut self, key: &str, value: &str) -> bool {
        if !is_key(key) || !is_value(value) {
            return false;
        }
        let mut text = format!("{key}={value}");
        for (other, value) in members(&self.text)
            .filter(|(other, _)| *other != key)
            .take(Self::MAX_MEMBERS - 1)
        {
            text.push(',');
            text.push_str(other);
            text.push('=');
            text.push_str(value);
        }
        self.text = text;
        true
    }

    /// Returns the list as one header value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Removes whole members until the list has at most `target` bytes. Returns the list and the number of removed
    /// members.
    ///
    /// Members of more than 128 bytes are removed first, then the last ones (section 3.3.1.5). At least 512 bytes are
    /// kept if there are as many, even beyond `target`, as long as they are within `room`.
    pub(crate) fn cut(&self, target: usize, room: usize) -> (String, usize) {
        const LEAST: usize = 512;
        const LARGE: usize = 128;
        let mut kept = [""; Self::MAX_MEMBERS];
        let mut count = 0;
        for (place, member) in kept.iter_mut().zip(self.text.split(',')) {
            *place = member;
            count += 1;
        }
        let (mut length, mut omitted) = (self.text.len(), 0);
        for large in [true, false] {
            for member in kept.iter_mut().take(count).rev() {
                let leaves = length.saturating_sub(member.len() + 1);
                let fits = length <= target || (length <= room && leaves < LEAST);
                if !fits && !member.is_empty() && (!large || member.len() > LARGE) {
                    *member = "";
                    length = leaves;
                    omitted += 1;
                }
            }
        }
        let mut text = String::with_capacity(length);
        for member in kept.into_iter().filter(|member| !member.is_empty()) {
            push_member(&mut text, member);
        }
        (text, omitted)
    }

    pub(crate) fn heap_size(&self) -> usize {
        self.text.capacity()
    }

    /// Returns `true` if there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// The members of all `tracestate` headers of a request. They are copied only after all of them are checked.
pub(crate) struct Members<'a> {
    kept: [&'a str; TraceState::MAX_MEMBERS],
    count: usize,
    /// Number of members, including those with an earlier member's key.
    seen: usize,
    bytes: usize,
}

impl<'a> Members<'a> {
    pub(crate) const fn new() -> Self {
        Self {
            kept: [""; TraceState::MAX_MEMBERS],
            count: 0,
            seen: 0,
            bytes: 0,
        }
    }

    /// Adds the members of one header. Returns `false` if the whole list has to be discarded.
    pub(crate) fn append(&mut self, header: &'a [u8]) -> bool {
        for member in header.split(|byte| *byte == b',').map(TrimOws::trim_ows) {
            if member.is_empty() {
                continue;
            }
            let Ok(member) = std::str::from_utf8(member) else {
                return false;
            };
            let Some((key, value)) = member.split_once('=') else {
                return false;
            };
            self.seen += 1;
            if self.seen > TraceState::MAX_MEMBERS || !is_key(key) || !is_value(value) {
                return false;
            }
            let same = |other: &&str| {
                let rest = other.strip_prefix(key);
                rest.is_some_and(|rest| rest.starts_with('='))
            };
            if self.kept.iter().take(self.count).any(same) {
                continue;
            }
            if let Some(place) = self.kept.get_mut(self.count) {
                *place = member;
                self.count += 1;
                self.bytes += member.len() + 1;
            }
        }
        true
    }

    /// Returns the list, with one allocation of its size.
    pub(crate) fn list(&self) -> TraceState {
        let mut text = String::with_capacity(self.bytes.saturating_sub(1));
        for member in self.kept.iter().take(self.count) {
            push_member(&mut text, member);
        }
        TraceState { text }
    }
}

fn push_member(text: &mut String, member: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.push_str(member);
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Reads the value of one header; see [`parse`](TraceState::parse) for several.
impl FromStr for TraceState {
    type Err = ParseTraceStateError;

    fn from_str(text: &str) -> Result<Self, ParseTraceStateError> {
        Self::parse([text.as_bytes()]).ok_or(ParseTraceStateError(()))
    }
}

/// The error of parsing a [`TraceState`]: a member breaks the grammar, or there are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseTraceStateError(());

impl fmt::Display for ParseTraceStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tracestate is at most 32 members `key=value`, separated by commas")
    }
}

impl std::error::Error for ParseTraceStateError {}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').filter_map(|member| member.split_once('='))
}

/// Returns `true` for a key: a lower-case letter or digit, then up to 255 characters of a small set (section
/// 3.3.2.2.1).
fn is_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    let Some((first, rest)) = bytes.split_first() else {
        return false;
    };
    matches!(first, b'a'..=b'z' | b'0'..=b'9')
        && rest.len() <= 255
        && rest.iter().all(
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@'),
        )
}

/// Returns `true` for a value: 1 to 256 printable characters without `,` and `=`, not ending with a blank (section
/// 3.3.2.2.2).
fn is_value(value: &str) -> bool {
    let bytes = value.as_bytes();
    matches!(bytes.last(), Some(last) if *last != b' ')
        && bytes.len() <= 256
        && bytes
            .iter()
            .all(|byte| matches!(byte, b' '..=b'+' | b'-'..=b'<' | b'>'..=b'~'))
}
