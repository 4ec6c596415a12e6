//! The hops of a request, as proxies write them into `Forwarded` (RFC 7239) and `X-Forwarded-For`.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use crate::http::request_view::RequestView;

/// No more hops than this are read of one header of a request: the nearest.
pub(crate) const MAX_HOPS: usize = 32;

/// An element of `Forwarded` with more parameters than this is not read. The standard has four.
const MAX_PARAMETERS: usize = 16;

/// Returns the addresses in `Forwarded`, the farthest first; `None` for what is hidden or malformed.
pub(crate) fn standard(view: &dyn RequestView) -> Vec<Option<IpAddr>> {
    let mut hops = Nearest::default();
    view.headers()
        .header_values("forwarded", &mut |line| match quotes_fit(line) {
            true => hops.extend(split(line, b',')),
            false => hops.hide(),
        });
    hops.read(forwarded_for)
}

/// Returns the addresses in `X-Forwarded-For`, likewise. No grammar of it knows quotes.
pub(crate) fn common(view: &dyn RequestView) -> Vec<Option<IpAddr>> {
    let mut hops = Nearest::default();
    view.headers()
        .header_values("x-forwarded-for", &mut |line| {
            hops.extend(line.split(|byte| *byte == b','));
        });
    hops.read(|hop| parse_address(std::str::from_utf8(hop).ok()?))
}

/// The last elements of a list: its empty ones do not count (RFC 9110, section 5.6.1).
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

    /// Notes a line whose elements cannot be counted. Neither can those before it, then.
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

/// Splits at a separator that stands outside of quoted strings.
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

/// Whether each quoted string is closed, and is the whole value of a parameter. Elsewhere a quote that one client left open
/// would take in what the proxies after it have added.
fn quotes_fit(line: &[u8]) -> bool {
    let mut bytes = line.iter();
    // The last byte that is no white space; of a quoted string, the closing quote.
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

/// Goes behind the end of a quoted string (RFC 9110, section 5.6.4); `false` if there is none.
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

/// Returns the address in `for=` of one element. An element that names a parameter twice is malformed (RFC 7239, section 4).
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut names: [&[u8]; MAX_PARAMETERS] = [b""; MAX_PARAMETERS];
    let mut found = None;
    let pairs = split(element, b';').map(<[u8]>::trim_ascii);
    for (count, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next()?.trim_ascii_end(), parts.next()?);
        // The places that are still free hold an empty name, which is not one either.
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

/// The text of a value, without quotes and their escapes.
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

/// Parses an address with or without a port, an IPv6 one with or without brackets and a zone.
///
/// The port may be out of range or hidden (RFC 7239, section 6): it is not used. Neither is the zone, which means nothing
/// outside of the proxy (RFC 4007, section 6).
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

/// A colon and any number, or a hidden port.
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
