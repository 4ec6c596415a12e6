//! Properties of the origin of requests, for any headers.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::proxies::{inside, shown, span_of, url_of};
use super::*;

/// Header names that are read, and one that is not.
const NAMES: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "host",
    "x-forwarded",
];

/// Bytes of every kind, with those of the grammars so often that some values are valid.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |text: &'static str| text.prop_map(String::into_bytes);
    prop_oneof![
        vec(any::<u8>(), 0..60),
        vec(
            select(&b"for=proto=https;,\"\\[]:@. 10/%\xff\xc3\xbc\t"[..]),
            0..60
        ),
        bytes(
            "(for=(1\\.2\\.3\\.4|\"\\[::1\\](:[0-9]{1,6})?\"|10\\.0\\.0\\.[0-9])(;proto=(https?|wss|ftp))?(;host=\"?[ -~]{0,20}\"?)?(, )?){0,4}"
        ),
        bytes("((1\\.2\\.3\\.4|10\\.0\\.0\\.[0-9]|unknown)(, )?){0,4}"),
        bytes("((https?|HTTPS|ws)(, )?){0,4}"),
        bytes("((a@)?([a-z]{1,9}\\.example|\\[::1\\])(:[0-9]{0,6})?(, )?){0,3}"),
        bytes("[0-9]{0,6}"),
    ]
}

struct Raw(Vec<(&'static str, Vec<u8>)>);

impl HeaderView for Raw {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.0.iter().for_each(|(name, value)| visit(name, value));
    }
}

impl RequestView for Raw {
    fn headers(&self) -> &dyn HeaderView {
        self
    }
    fn method(&self) -> &str {
        "GET"
    }
    fn path(&self) -> &str {
        "/x"
    }
    fn peer(&self) -> Option<SocketAddr> {
        Some(([10, 0, 0, 1], 999).into())
    }
}

/// Returns `true` for `uri-host [ ":" port ]` (RFC 9110, section 7.2), by another way than the core's.
fn is_authority(text: &str) -> bool {
    let bracket = text.find(']').map_or(0, |at| at + 1);
    let (host, port) = match text[bracket..].find(':') {
        Some(at) => text.split_at(bracket + at),
        None => (text, ":"),
    };
    let is_host = match host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        Some(ip) => ip.starts_with(['v', 'V']) || ip.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "-._~!$&'()*+;=%".contains(char)),
    };
    let port = &port[1..];
    let is_port = port.is_empty() || (!port.starts_with('+') && port.parse::<u16>().is_ok());
    !host.is_empty() && is_host && is_port
}

proptest! {
    #[test]
    fn any_headers_give_a_valid_origin(
        headers in vec((select(&NAMES[..]), value()), 0..7),
        hops in 1_usize..4,
    ) {
        let view = Raw(headers);
        for forwarded in [Forwarded::hops(hops).host(true), inside(), Forwarded::hops(hops)] {
            let harness = shown(forwarded);
            let span = span_of(&harness, &view);
            let host = tag(&span, "host");
            prop_assert!(host.as_deref().is_none_or(is_authority), "{host:?}");
            // The parser of `http` takes no percent-encoded host.
            if host.is_none_or(|host| !host.contains('%')) {
                url_of(&span);
            }
            let scheme = tag(&span, "url.scheme");
            prop_assert!(matches!(scheme.as_deref(), Some("http" | "https")));
        }
    }
}
