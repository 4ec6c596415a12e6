//! The client's address behind proxies.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::server::view::RequestView;

/// Whose word counts for the client's address: none's, unless proxies are named.
///
/// The hops that a request took are those of `Forwarded` (RFC 7239) or of `X-Forwarded-For`, and last the connection's
/// other end. They are read from the near end, and only as far as they are trusted: what stands left of the first hop that
/// is not trusted may be invented.
///
/// Where a request has both headers they must name the same client, or nothing is believed: a proxy that writes one of
/// them passes the other on as its client wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forwarded(Trusted);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Trusted {
    #[default]
    Nobody,
    Hops(usize),
    Networks(Vec<Network>),
}

/// No more hops than this are read of one request.
const MAX_HOPS: usize = 32;

impl Forwarded {
    /// Believes no forwarded address; the default.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Trusted::Nobody)
    }

    /// Believes this many proxies: the last is the one that connects here.
    ///
    /// Only for services that every request reaches through that many: one that came through fewer could choose its address.
    #[must_use]
    pub const fn hops(count: usize) -> Self {
        Self(Trusted::Hops(count))
    }

    /// Believes proxies in these networks.
    ///
    /// ```
    /// use opentracing_http::{Forwarded, Network};
    ///
    /// let inside: Network = "10.0.0.0/8".parse()?;
    /// let forwarded = Forwarded::networks([inside]);
    /// # let _ = forwarded;
    /// # Ok::<(), opentracing_http::ParseNetworkError>(())
    /// ```
    #[must_use]
    pub fn networks(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(Trusted::Networks(networks.into_iter().collect()))
    }

    /// The client's address, if a trusted proxy tells it.
    pub(crate) fn client(&self, view: &dyn RequestView) -> Option<IpAddr> {
        if self.0 == Trusted::Nobody {
            return None;
        }
        let peer = view.peer().map(|peer| peer.ip().to_canonical());
        let standard = hops(view, "forwarded", forwarded_for);
        let common = hops(view, "x-forwarded-for", |hop| parse_address(hop.trim()));
        match (standard.is_empty(), common.is_empty()) {
            (true, _) => self.client_of(&common, peer),
            (_, true) => self.client_of(&standard, peer),
            _ => {
                let client = self.client_of(&standard, peer);
                client.filter(|_| client == self.client_of(&common, peer))
            }
        }
    }

    fn client_of(&self, hops: &[Option<IpAddr>], peer: Option<IpAddr>) -> Option<IpAddr> {
        match &self.0 {
            Trusted::Nobody => None,
            Trusted::Hops(count) => {
                // One proxy: the address it added last. As many as hops or more: the first there is.
                let at = hops.len().saturating_sub(*count);
                hops.get(at).copied().flatten()
            }
            Trusted::Networks(networks) => {
                let trusted =
                    |address: IpAddr| networks.iter().any(|network| network.contains(address));
                if !peer.is_some_and(trusted) {
                    return None;
                }
                let mut client = None;
                for hop in hops.iter().rev() {
                    client = Some((*hop)?);
                    if !hop.is_some_and(trusted) {
                        break;
                    }
                }
                client
            }
        }
    }
}

/// The addresses that proxies told in this header, the farthest first; `None` for what is hidden or unreadable. The
/// nearest [`MAX_HOPS`] only.
fn hops(
    view: &dyn RequestView,
    header: &str,
    address: fn(&str) -> Option<IpAddr>,
) -> Vec<Option<IpAddr>> {
    let mut hops = Vec::new();
    view.header_values(header, &mut |value| {
        match std::str::from_utf8(value) {
            Ok(value) => hops.extend(
                value
                    .rsplit(',')
                    .take(MAX_HOPS)
                    .map(address)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev(),
            ),
            Err(_) => hops.push(None),
        }
        let excess = hops.len().saturating_sub(MAX_HOPS);
        hops.drain(..excess);
    });
    hops
}

/// `for=` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("for")
            .then(|| parse_address(value.trim().trim_matches('"')))?
    })
}

/// An address, with or without a port, an IPv6 one with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

/// A network in CIDR form, such as `10.0.0.0/8` or `fd00::/8`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let error = || ParseNetworkError {
            text: text.to_owned(),
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), |prefix| prefix.parse().map_err(|_| error()))?;
        if prefix > most {
            return Err(error());
        }
        Ok(Self { address, prefix })
    }
}

/// The error of parsing a [`Network`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseNetworkError {
    text: String,
}

impl fmt::Display for ParseNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a network; write an address and a prefix length, such as 10.0.0.0/8",
            self.text
        )
    }
}

impl std::error::Error for ParseNetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(forwarded: &Forwarded, peer: &str, headers: &[(&str, &str)]) -> Option<String> {
        struct View<'a>(SocketAddr, &'a [(&'a str, &'a str)]);
        impl crate::HeaderView for View<'_> {
            fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
                self.1
                    .iter()
                    .for_each(|(name, value)| visit(name, value.as_bytes()));
            }
        }
        impl RequestView for View<'_> {
            fn method(&self) -> &'static str {
                "GET"
            }
            fn path(&self) -> &'static str {
                "/"
            }
            fn peer(&self) -> Option<SocketAddr> {
                Some(self.0)
            }
        }
        let view = View(peer.parse().unwrap(), headers);
        forwarded.client(&view).map(|client| client.to_string())
    }

    #[test]
    fn nobody_is_believed_by_default() {
        let headers = [("x-forwarded-for", "1.2.3.4")];
        assert_eq!(client(&Forwarded::default(), "10.0.0.1:1", &headers), None);
    }

    #[test]
    fn hops_count_from_the_near_end() {
        let headers = [("X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.0.0.2")];
        let hops = |n| client(&Forwarded::hops(n), "10.0.0.1:1", &headers);
        assert_eq!(hops(0), None);
        assert_eq!(hops(1).as_deref(), Some("10.0.0.2"));
        assert_eq!(hops(2).as_deref(), Some("1.2.3.4"));
        assert_eq!(hops(9).as_deref(), Some("6.6.6.6"));
    }

    #[test]
    fn networks_are_followed_to_the_first_stranger() {
        let inside = Forwarded::networks(["10.0.0.0/8".parse().unwrap()]);
        let headers = [
            ("x-forwarded-for", "6.6.6.6, 1.2.3.4"),
            ("x-forwarded-for", "10.0.0.2"),
        ];
        assert_eq!(
            client(&inside, "10.0.0.1:1", &headers).as_deref(),
            Some("1.2.3.4")
        );
        assert_eq!(client(&inside, "9.9.9.9:1", &headers), None);
    }

    #[test]
    fn a_header_that_the_proxy_does_not_write_is_not_believed() {
        let inside = Forwarded::networks(["10.0.0.0/8".parse().unwrap()]);
        for forwarded in [Forwarded::hops(1), inside] {
            let told = |standard, common| {
                let headers = [("forwarded", standard), ("x-forwarded-for", common)];
                client(&forwarded, "10.0.0.1:1", &headers)
            };
            assert_eq!(told("for=6.6.6.6", "1.2.3.4"), None);
            assert_eq!(told("for=1.2.3.4", "6.6.6.6"), None);
            assert_eq!(
                told("for=\"1.2.3.4:567\"", "6.6.6.6, 1.2.3.4").as_deref(),
                Some("1.2.3.4")
            );
        }
    }

    #[test]
    fn the_standard_header_and_ipv6_are_read() {
        let headers = [(
            "forwarded",
            "for=\"[2001:db8::1]:4711\";proto=https, For=10.0.0.2",
        )];
        let hops = client(&Forwarded::hops(2), "10.0.0.1:1", &headers);
        assert_eq!(hops.as_deref(), Some("2001:db8::1"));
        assert_eq!(
            client(
                &Forwarded::hops(1),
                "[::1]:1",
                &[("forwarded", "for=_hidden")]
            ),
            None
        );
    }

    #[test]
    fn networks_are_checked() {
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8x",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
    }
}
