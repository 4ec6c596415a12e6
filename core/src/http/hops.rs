//! The hops of a request, as proxies write them to `Forwarded` (RFC 7239) and `X-Forwarded-For`.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::http::request_view::RequestView;

/// Maximum number of hops that are read of one header: the nearest ones.
pub(crate) const MAX_HOPS: usize = 32;

/// Maximum number of parameters of an element of `Forwarded`; an element with more is not read. The standard defines
/// four.
const MAX_PARAMETERS: usize = 16;

/// Returns the addresses in `Forwarded`, the farthest first; `None` for one that is hidden or malformed.
pub(crate) fn standard(view: &dyn RequestView) -> Vec<Option<IpAddr>> {
    let mut hops = Nearest::default();
    view.headers()
        .header_values("forwarded", &mut |line| match quotes_fit(line) {
            true => hops.extend(split(line, b',')),
            false => hops.hide(),
        });
    hops.read(forwarded_for)
}

/// Returns the addresses in `X-Forwarded-For`, the farthest first. Its grammar has no quoted strings.
pub(crate) fn common(view: &dyn RequestView) -> Vec<Option<IpAddr>> {
    let mut hops = Nearest::default();
    view.headers()
        .header_values("x-forwarded-for", &mut |line| {
            hops.extend(line.split(|byte| *byte == b','));
        });
    hops.read(|hop| parse_address(std::str::from_utf8(hop).ok()?))
}

/// The last elements of a list, without the empty ones (RFC 9110, section 5.6.1).
#[derive(Default)]
struct Nearest<'a>(Vec<Option<&'a [u8]>>);

impl<'a> Nearest<'a> {
    fn extend(&mut self, elements: impl Iterator<Item = &'a [u8]>) {
        for element in elements.map(<[u8]>::trim_ascii) {
            if !element.is_empty() {
                self.0.push(Some(element));
            }
            if self.0.len() == 2 * MAX_HOPS {
                self.0.drain(..MAX_HOPS);
            }
        }
    }

    /// Adds a line whose elements cannot be counted, so that those before it cannot be counted either.
    fn hide(&mut self) {
        self.0.clear();
        self.0.push(None);
    }

    fn read(self, address: impl Fn(&[u8]) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
        let far = self.0.len().saturating_sub(MAX_HOPS);
        let near = self.0.into_iter().skip(far);
        near.map(|hop| address(hop?)).collect()
    }
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

/// Returns the address in `for=` of one element. An element that has a parameter twice is malformed (RFC 7239, section
/// 4).
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut names: [&[u8]; MAX_PARAMETERS] = [b""; MAX_PARAMETERS];
    let mut found = None;
    let pairs = split(element, b';').map(<[u8]>::trim_ascii);
    for (count, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next()?.trim_ascii_end(), parts.next()?);
        // Unused entries contain an empty name, which is not a valid one either.
        if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return None;
        }
        *names.get_mut(count)? = name;
        if name.eq_ignore_ascii_case(b"for") {
            found = Some(value.trim_ascii_start());
        }
    }
    parse_address(&unquoted(found?)?)
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
