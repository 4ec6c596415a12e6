//! W3C's `tracestate`: what other tracing systems on the way have to say.

use std::fmt;
use std::str::FromStr;

use crate::text::TrimOws;

/// A checked `tracestate` (W3C Trace Context level 2, section 3.3): at most 32 members, each `key=value`.
///
/// Kept as the one text that is sent on, members in order, empty members and blanks round members left out.
///
/// ```
/// use opentracing_http::TraceState;
///
/// let mut list = TraceState::parse([&b"congo=t61, rojo=00f0"[..], b"vendor=1"]).unwrap();
/// assert!(list.insert("rojo", "2"));
/// assert_eq!(list.as_str(), "rojo=2,congo=t61,vendor=1");
/// assert_eq!(list.get("congo"), Some("t61"));
/// assert_eq!(list.to_string().parse(), Ok(list));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TraceState {
    text: String,
}

impl TraceState {
    /// How many members a list may have (section 3.3.1.1).
    pub const MAX_MEMBERS: usize = 32;

    pub(crate) const EMPTY: Self = Self {
        text: String::new(),
    };

    /// Reads the values of all `tracestate` headers of a request, in order.
    ///
    /// `None` if any member breaks the grammar or there are more than 32: the specification has such a list thrown away
    /// as a whole, and the `traceparent` used without it. Of two members with one key the first stays, which is the one
    /// set last (W3C's own test suite wants such a list kept).
    #[must_use]
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut members = Members::new();
        headers
            .into_iter()
            .all(|header| members.append(header))
            .then(|| members.list())
    }

    /// The value of the member with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        members(&self.text)
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
    }

    /// Puts a member first, as section 3.5 wants it of the system that changes it; its old place is given up, and the
    /// last member leaves if there would be more than 32.
    ///
    /// Answers `false`, and changes nothing, if the key or the value breaks the grammar.
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

    /// The list as one header value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The list without as many whole members as it takes to have at most `target` bytes, and how many those are.
    ///
    /// As section 3.3.1.5 has it, members of more than 128 bytes are left out first, and then the last ones. At least 512
    /// bytes are kept where there are that many, even beyond the target, if they are within `room`.
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

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// The members of all `tracestate` headers of a request, checked, and copied only once all of them have been.
pub(crate) struct Members<'a> {
    kept: [&'a str; TraceState::MAX_MEMBERS],
    count: usize,
    /// With those whose key was there already.
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

    /// Adds one header's members. Returns `false` where the whole list is to be thrown away.
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

    /// The list, in one allocation of its size.
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

/// Section 3.3.2.2.1: lower-case letter or digit, then up to 255 of a small set.
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

/// Section 3.3.2.2.2: 1 to 256 printable characters without `,` and `=`, the last of them not a blank.
fn is_value(value: &str) -> bool {
    let bytes = value.as_bytes();
    matches!(bytes.last(), Some(last) if *last != b' ')
        && bytes.len() <= 256
        && bytes
            .iter()
            .all(|byte| matches!(byte, b' '..=b'+' | b'-'..=b'<' | b'>'..=b'~'))
}
