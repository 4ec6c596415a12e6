//! What trusted proxies report about a request.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::http::forwarded::Forwarded;
use crate::http::hops::{self, Beside, Element, Hops};
use crate::http::host::{Host, parse_port};
use crate::propagation::HeaderView;

/// Maximum number of bytes of a forwarded host without its port (RFC 3986, section 3.2.2).
const MAX_HOST: usize = 255;

/// What trusted proxies report about a request.
#[derive(Default)]
pub(crate) struct Report<'a> {
    pub(crate) client: Option<IpAddr>,
    pub(crate) scheme: Option<&'static str>,
    /// A valid host, with its port if it has one.
    pub(crate) host: Option<Cow<'a, str>>,
    /// The port that replaces that of the host.
    pub(crate) port: Option<u16>,
}

impl<'a> Report<'a> {
    /// Returns what the headers of a trusted peer report.
    pub(super) fn read(trust: &Forwarded, headers: &'a dyn HeaderView) -> Self {
        let standard = Self::standard(trust, headers);
        let hops = Hops::common(headers);
        let farthest = trust.farthest(hops.len(), |at| hops.get(at).and_then(hops::address));
        let (position, client) = farthest.unwrap_or_default();
        let has_hops = hops.total() > 0;
        let beside = |name| Beside::read(headers, name, hops.total(), position);
        let client = settle(
            standard.as_ref().map(|standard| standard.client),
            has_hops.then_some(client),
            PartialEq::eq,
        );
        let scheme = match trust.scheme {
            true => {
                let proto = beside("x-forwarded-proto");
                let scheme = proto.value.and_then(scheme_of);
                settle(
                    standard.as_ref().map(|standard| standard.scheme),
                    (has_hops || !proto.is_empty).then_some(scheme),
                    PartialEq::eq,
                )
            }
            false => None,
        };
        let has_standard = standard.is_some();
        let host = match trust.host {
            true => {
                let named = beside("x-forwarded-host");
                let host = named.value.and_then(|host| std::str::from_utf8(host).ok());
                let host = host.map(Cow::Borrowed).and_then(valid_host);
                settle(
                    standard.map(|standard| standard.host),
                    (has_hops || !named.is_empty).then_some(host),
                    |one, other| one.eq_ignore_ascii_case(other),
                )
            }
            false => None,
        };
        let port = match trust.port && !has_standard {
            true => beside("x-forwarded-port").value.and_then(port_of),
            false => None,
        };
        Self {
            client,
            scheme,
            host,
            port,
        }
    }

    /// Returns what `Forwarded` reports; `None` if there is no such header.
    fn standard(trust: &Forwarded, headers: &'a dyn HeaderView) -> Option<Self> {
        let hops = Hops::standard(headers);
        let element = |at| hops.get(at).and_then(Element::parse);
        let (position, client) = trust.farthest(hops.len(), |at| element(at)?.address())?;
        let element = element(position).unwrap_or_default();
        let scheme = element.proto().filter(|_| trust.scheme);
        let host = element.host().filter(|_| trust.host);
        Some(Self {
            client,
            scheme: scheme.and_then(|scheme| scheme_of(scheme.as_bytes())),
            host: host.and_then(valid_host),
            port: None,
        })
    }
}

/// Returns a fact from the kind of headers that is present, or from both if they report it alike.
fn settle<T>(
    standard: Option<Option<T>>,
    common: Option<Option<T>>,
    alike: impl FnOnce(&T, &T) -> bool,
) -> Option<T> {
    match (standard, common) {
        (Some(standard), Some(common)) => {
            let (standard, common) = (standard?, common?);
            alike(&standard, &common).then_some(standard)
        }
        (fact, None) | (None, fact) => fact?,
    }
}

/// Returns the scheme of HTTP. A WebSocket is opened by a request of HTTP (RFC 6455, section 4.1).
fn scheme_of(text: &[u8]) -> Option<&'static str> {
    let is = |scheme: &str| text.eq_ignore_ascii_case(scheme.as_bytes());
    match () {
        () if is("https") || is("wss") => Some("https"),
        () if is("http") || is("ws") => Some("http"),
        () => None,
    }
}

/// Returns the host without user information, if it is valid.
fn valid_host(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_short = |host: &Host<'_>| host.address.len() <= MAX_HOST;
    match text {
        Cow::Borrowed(text) => Host::parse(text)
            .filter(is_short)
            .map(|host| host.text.into()),
        Cow::Owned(text) => Host::parse(&text)
            .filter(is_short)
            .map(|host| host.text.to_owned().into()),
    }
}

/// Returns a port that a client can connect to.
fn port_of(text: &[u8]) -> Option<u16> {
    let port = parse_port(std::str::from_utf8(text).ok()?)?;
    (port != 0).then_some(port)
}
