//! The hops of a request, as proxies write them to `Forwarded` (RFC 7239), and to `X-Forwarded-For` and the headers
//! beside it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::propagation::HeaderView;

/// Maximum number of hops that are read of one header: the nearest ones.
pub(crate) const MAX_HOPS: usize = 32;

/// Maximum number of parameters of an element of `Forwarded`; an element with more is not read. The standard defines
/// four.
const MAX_PARAMETERS: usize = 16;

/// The elements of a list that proxies append to, without the empty ones (RFC 9110, section 5.6.1).
pub(crate) struct Hops<'a> {
    /// The nearest elements, in a ring; `None` for a line whose elements cannot be counted.
    ring: [Option<&'a [u8]>; MAX_HOPS],
    total: usize,
}

impl<'a> Hops<'a> {
    const EMPTY: Self = Self {
        ring: [None; MAX_HOPS],
        total: 0,
    };

    /// Reads the elements of `Forwarded`.
    pub(crate) fn standard(headers: &'a dyn HeaderView) -> Self {
        let mut hops = Self::EMPTY;
        headers.header_values("forwarded", &mut |line| match quotes_fit(line) {
            true => hops.extend(split(line, b',')),
            false => hops.hide(),
        });
        hops
    }

    /// Reads the elements of `X-Forwarded-For`. Its grammar has no quoted strings.
    pub(crate) fn common(headers: &'a dyn HeaderView) -> Self {
        let mut hops = Self::EMPTY;
        headers.header_values("x-forwarded-for", &mut |line| {
            hops.extend(line.split(|byte| *byte == b','));
        });
        hops
    }

    fn extend(&mut self, elements: impl Iterator<Item = &'a [u8]>) {
        for element in elements.map(<[u8]>::trim_ascii) {
            if !element.is_empty() {
                self.push(Some(element));
            }
        }
    }

    fn push(&mut self, element: Option<&'a [u8]>) {
        if let Some(place) = self.ring.get_mut(self.total % MAX_HOPS) {
            *place = element;
        }
        self.total += 1;
    }

    /// Adds a line whose elements cannot be counted, so that those before it cannot be counted either.
    fn hide(&mut self) {
        self.total = 0;
        self.push(None);
    }

    /// Returns the number of elements, including those that are too far to be read.
    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    /// Returns the number of elements that can be read.
    pub(crate) fn len(&self) -> usize {
        self.total.min(MAX_HOPS)
    }

    /// Returns an element. The nearest has position 0.
    pub(crate) fn get(&self, position: usize) -> Option<&'a [u8]> {
        if position >= self.len() {
            return None;
        }
        let index = self.total.checked_sub(position + 1)? % MAX_HOPS;
        self.ring.get(index).copied().flatten()
    }
}

/// The values of a header beside `X-Forwarded-For`, such as `X-Forwarded-Proto`.
pub(crate) struct Beside<'a> {
    pub(crate) is_empty: bool,
    /// The value at the wanted position of a list that is as long as the hops, or the only value.
    pub(crate) value: Option<&'a [u8]>,
}

impl<'a> Beside<'a> {
    /// Reads this header. `total` is the number of hops, and `position` that of the wanted one, from the nearest.
    pub(crate) fn read(
        headers: &'a dyn HeaderView,
        name: &str,
        total: usize,
        position: usize,
    ) -> Self {
        let (mut count, mut only, mut found) = (0_usize, None, None);
        headers.header_values(name, &mut |line| {
            let elements = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            for element in elements.filter(|element| !element.is_empty()) {
                count += 1;
                only = Some(element);
                if count.checked_add(position) == Some(total) {
                    found = Some(element);
                }
            }
        });
        Self {
            is_empty: count == 0,
            value: match count {
                1 => only,
                _ => found.filter(|_| count == total),
            },
        }
    }
}

/// Returns the address of an element of `X-Forwarded-For`.
pub(crate) fn address(element: &[u8]) -> Option<IpAddr> {
    parse_address(std::str::from_utf8(element).ok()?)
}

/// Splits at a separator outside of quoted strings.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return !quoted && *byte == separator,
        }
        false
    })
}

/// Returns `true` if each quoted string is closed and is a parameter's whole value. Otherwise a quote that a client
/// left open would include the elements that proxies added after it.
fn quotes_fit(line: &[u8]) -> bool {
    let mut bytes = line.iter();
    // The last byte that is not white space; for a quoted string the closing quote.
    let mut last = b',';
    while let Some(&byte) = bytes.next() {
        match (last, byte) {
            (_, b' ' | b'\t') => continue,
            (b'"', b',' | b';') => {}
            (b'=', b'"') if closes(&mut bytes) => {}
            (b'"', _) | (_, b'"') => return false,
            _ => {}
        }
        last = byte;
    }
    true
}

/// Skips to the end of a quoted string (RFC 9110, section 5.6.4); returns `false` if it is not closed.
fn closes<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> bool {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return true,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    false
}

/// The parameters of an element of `Forwarded` that are used, as they were written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Element<'a> {
    address: Option<&'a [u8]>,
    proto: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    /// Parses an element. One that has a parameter twice is malformed (RFC 7239, section 4).
    pub(crate) fn parse(element: &'a [u8]) -> Option<Self> {
        let mut names: [&[u8]; MAX_PARAMETERS] = [b""; MAX_PARAMETERS];
        let mut found = Self::default();
        let pairs = split(element, b';').map(<[u8]>::trim_ascii);
        for (count, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next()?.trim_ascii_end(), parts.next()?);
            // Unused entries contain an empty name, which is not a valid one either.
            if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return None;
            }
            *names.get_mut(count)? = name;
            let value = Some(value.trim_ascii_start());
            if name.eq_ignore_ascii_case(b"for") {
                found.address = value;
            } else if name.eq_ignore_ascii_case(b"proto") {
                found.proto = value;
            } else if name.eq_ignore_ascii_case(b"host") {
                found.host = value;
            }
        }
        Some(found)
    }

    pub(crate) fn address(self) -> Option<IpAddr> {
        parse_address(&unquoted(self.address?)?)
    }

    pub(crate) fn proto(self) -> Option<Cow<'a, str>> {
        unquoted(self.proto?)
    }

    pub(crate) fn host(self) -> Option<Cow<'a, str>> {
        unquoted(self.host?)
    }
}

/// Returns the text of a value, without quotes and escapes.
fn unquoted(value: &[u8]) -> Option<Cow<'_, str>> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        return std::str::from_utf8(value).ok().map(Cow::Borrowed);
    };
    let quoted = std::str::from_utf8(quoted.strip_suffix(b"\"")?).ok()?;
    if !quoted.contains('\\') {
        return Some(Cow::Borrowed(quoted));
    }
    let mut characters = quoted.chars();
    let mut text = String::with_capacity(quoted.len());
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => characters.next()?,
            _ => character,
        });
    }
    Some(Cow::Owned(text))
}

/// Parses an address with or without a port; an IPv6 address also with or without brackets and a zone.
///
/// The port is ignored; it may be out of range or hidden (RFC 7239, section 6). The zone is ignored, too: it has no
/// meaning outside of the proxy (RFC 4007, section 6).
fn parse_address(text: &str) -> Option<IpAddr> {
    let (address, port) = if let Some(literal) = text.strip_prefix('[') {
        let (address, port) = literal.split_once(']')?;
        (IpAddr::V6(parse_ipv6(address)?), port)
    } else if let Some(address) = parse_ipv6(text) {
        (IpAddr::V6(address), "")
    } else {
        let (address, port) = text.split_at_checked(text.find(':').unwrap_or(text.len()))?;
        (IpAddr::V4(address.parse().ok()?), port)
    };
    (port.is_empty() || is_port(port)).then(|| address.to_canonical())
}

fn parse_ipv6(text: &str) -> Option<Ipv6Addr> {
    let address = match text.split_once('%') {
        Some((address, zone)) => {
            let named = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic());
            named.then_some(address)?
        }
        None => text,
    };
    address.parse().ok()
}

/// Returns `true` for a colon followed by any number, or by a hidden port.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else {
        return false;
    };
    match port.strip_prefix('_') {
        Some(hidden) => {
            let mut bytes = hidden.bytes();
            !hidden.is_empty()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => port.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
