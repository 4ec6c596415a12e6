//! Validation of hosts (RFC 9110, section 7.2, and RFC 3986, section 3.2.2).

use std::fmt::Write;
use std::net::Ipv6Addr;

/// A host with its port, as a client requests it.
#[derive(Clone, Copy)]
pub(crate) struct Host<'a> {
    /// Host and port as they were sent.
    pub(crate) text: &'a str,
    /// The host alone; an IPv6 address without its brackets.
    pub(crate) address: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Host<'a> {
    /// Parses `uri-host [ ":" port ]`. User information is removed, whatever it contains.
    ///
    /// Returns `None` for everything else, including an empty host, a list of hosts and a port above 65535: text
    /// outside of the grammar is chosen by the caller.
    pub(crate) fn parse(authority: &'a str) -> Option<Self> {
        // A name without a port, as most are.
        if !authority.is_empty() && authority.bytes().all(is_of_plain_name) {
            return Some(Self {
                text: authority,
                address: authority,
                port: None,
            });
        }
        let text = match authority.rsplit_once('@') {
            Some((_, host)) => host,
            None => authority,
        };
        let (address, port) = match text.strip_prefix('[') {
            Some(literal) => literal.split_once(']').filter(|(ip, _)| is_literal(ip))?,
            None => {
                let at = text.find(':').unwrap_or(text.len());
                text.split_at_checked(at)
                    .filter(|(name, _)| is_name(name))?
            }
        };
        let port = match port.strip_prefix(':') {
            Some("") => None,
            Some(port) => Some(parse_port(port)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self {
            text,
            address,
            port,
        })
    }
}

/// Appends the target URI without its query. The asterisk form has neither path nor query (RFC 9112, section 3.3).
pub(crate) fn append_url(
    text: &mut impl Write,
    scheme: Option<&str>,
    host: Option<&str>,
    path: &str,
) {
    let mut push = |part: &str| text.write_str(part).unwrap_or_default();
    if let Some(host) = host {
        [scheme.unwrap_or("http"), "://", host]
            .into_iter()
            .for_each(&mut push);
    }
    if host.is_none() || path != "*" {
        push(path);
    }
}

/// Returns the port that a scheme has without one in its URLs.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Parses a number up to 65535, without a sign.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Returns `true` for a `reg-name`, which includes IPv4 addresses, that is not empty and has no comma, which would make
/// it a list.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => is_plain(byte),
        };
        if !valid {
            return false;
        }
    }
    !text.is_empty()
}

/// Returns `true` for the text between brackets: an IPv6 address without a zone, or `IPvFuture`.
fn is_literal(text: &str) -> bool {
    let Some(future) = text.strip_prefix(['v', 'V']) else {
        return text.parse::<Ipv6Addr>().is_ok();
    };
    future.split_once('.').is_some_and(|(version, address)| {
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !address.is_empty()
            && address.bytes().all(|byte| byte == b':' || is_plain(byte))
    })
}

/// Returns `true` for the bytes that most names consist of.
const fn is_of_plain_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-')
}

/// Returns `true` for `unreserved / sub-delims`, without the comma.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::default_port;

    #[test]
    fn schemes_have_ports() {
        assert_eq!(default_port("http"), Some(80));
        assert_eq!(default_port("https"), Some(443));
        assert_eq!(default_port("ws+unix"), None);
    }
}
