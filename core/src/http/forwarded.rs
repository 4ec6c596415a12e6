//! The client's address behind proxies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::http::hops;
use crate::http::request_view::RequestView;

/// The proxies that are trusted to report the client's address. None by default.
///
/// The hops of a request are those in `Forwarded` (RFC 7239) or `X-Forwarded-For`, followed by the connection's peer.
/// They are read from the nearest to the farthest, as long as they are trusted: everything to the left of the first
/// untrusted hop may be forged.
///
/// If a request has both headers, they must report the same client; otherwise neither is used, because a proxy that
/// writes one of them passes on the other as its client wrote it. A header without any element counts as absent.
///
/// Empty list elements are ignored. An address may have a port, which is ignored, and an IPv6 address a zone, which is
/// removed. Commas in quoted strings of `Forwarded` are not separators. An element that has a parameter twice is
/// malformed (RFC 7239, section 4) and hides its address. A line with malformed quoted strings hides all addresses in
/// it and before it. At most the 32 nearest hops are read.
///
/// ```
/// use opentracing_http::{Forwarded, HttpTracing, InMemoryTracer};
///
/// // One proxy in front of this service.
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).forwarded(Forwarded::hops(1)).build()?;
/// // The default.
/// let none = Forwarded::nobody();
/// # let _ = (tracing, none);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forwarded(Trusted);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Trusted {
    #[default]
    Nobody,
    Hops(usize),
    Networks(Vec<Network>),
}

impl Forwarded {
    /// Trusts no proxy; the client's address is the peer's. The default.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Trusted::Nobody)
    }

    /// Trusts this number of proxies; the last of them connects to this service.
    ///
    /// Use it only if every request passes through that many proxies: a client whose request passes through fewer could
    /// choose its address.
    #[must_use]
    pub const fn hops(count: usize) -> Self {
        Self(Trusted::Hops(count))
    }

    /// Trusts proxies in these networks.
    ///
    /// ```
    /// use opentracing_http::{Forwarded, Network};
    ///
    /// let inside: Network = "10.0.0.0/8".parse()?;
    /// let forwarded = Forwarded::networks([inside]);
    /// # let _ = forwarded;
    /// # Ok::<(), opentracing_http::error::ParseNetworkError>(())
    /// ```
    #[must_use]
    pub fn networks(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(Trusted::Networks(networks.into_iter().collect()))
    }

    /// Returns `true` if nothing is trusted without the peer's address.
    pub(crate) const fn needs_peer(&self) -> bool {
        matches!(self.0, Trusted::Networks(_))
    }

    /// Returns the client's address, if a trusted proxy reports it.
    pub(crate) fn client(&self, view: &dyn RequestView) -> Option<IpAddr> {
        if self.0 == Trusted::Nobody {
            return None;
        }
        let peer = view.peer().map(|peer| peer.ip().to_canonical());
        let (standard, common) = (hops::standard(view), hops::common(view));
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
                // One proxy: the address that it added last. As many proxies as hops or more: the first address.
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

/// A network in CIDR notation, such as `10.0.0.0/8` or `fd00::/8`. A single address is a network of one.
///
/// ```
/// use opentracing_http::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains([10, 1, 2, 3].into()));
/// assert_eq!(network.to_string(), "10.0.0.0/8");
/// assert_eq!("::1".parse::<Network>()?.to_string(), "::1/128");
/// # Ok::<(), opentracing_http::error::ParseNetworkError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Returns `true` if the address is in the network.
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

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The network of this address alone.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
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
        let alone = Self::from(address.parse::<IpAddr>().map_err(|_| error())?);
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| error())?,
            None => alone.prefix,
        };
        if prefix > alone.prefix {
            return Err(error());
        }
        Ok(Self { prefix, ..alone })
    }
}

/// The error of parsing a [`Network`]. It shows the text and the remedy.
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
    use std::net::SocketAddr;

    use super::*;
    use crate::http::hops::MAX_HOPS;

    fn client(forwarded: &Forwarded, peer: &str, headers: &[(&str, &str)]) -> Option<String> {
        struct View<'a>(SocketAddr, &'a [(&'a str, &'a str)]);
        impl crate::propagation::HeaderView for View<'_> {
            fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
                self.1
                    .iter()
                    .for_each(|(name, value)| visit(name, value.as_bytes()));
            }
        }
        impl RequestView for View<'_> {
            fn headers(&self) -> &dyn crate::propagation::HeaderView {
                self
            }
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
    fn no_proxy_is_trusted_by_default() {
        let headers = [("x-forwarded-for", "1.2.3.4")];
        assert_eq!(client(&Forwarded::default(), "10.0.0.1:1", &headers), None);
    }

    #[test]
    fn hops_are_counted_from_the_nearest() {
        let headers = [("X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.0.0.2")];
        let hops = |n| client(&Forwarded::hops(n), "10.0.0.1:1", &headers);
        assert_eq!(hops(0), None);
        assert_eq!(hops(1).as_deref(), Some("10.0.0.2"));
        assert_eq!(hops(2).as_deref(), Some("1.2.3.4"));
        assert_eq!(hops(9).as_deref(), Some("6.6.6.6"));
    }

    #[test]
    fn networks_are_trusted_up_to_the_first_other_address() {
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
    fn headers_that_disagree_are_not_used() {
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

    /// Returns the client's address behind one trusted hop, from this header.
    fn told(header: &str, value: &str) -> Option<String> {
        client(&Forwarded::hops(1), "10.0.0.1:1", &[(header, value)])
    }

    #[test]
    fn empty_list_elements_do_not_count() {
        for value in [
            "192.168.8.39,",
            "192.168.8.39 , ",
            ",192.168.8.39",
            ", ,\t192.168.8.39,,",
        ] {
            let common = told("x-forwarded-for", value);
            assert_eq!(common.as_deref(), Some("192.168.8.39"), "{value:?}");
            let standard = value.replace("192", "for=192");
            let standard = told("forwarded", &standard);
            assert_eq!(standard.as_deref(), Some("192.168.8.39"), "{value:?}");
        }
        let inside = Forwarded::networks(["10.0.0.0/8".parse().unwrap()]);
        let headers = [
            ("x-forwarded-for", "1.2.3.4, ,"),
            ("x-forwarded-for", ","),
            ("x-forwarded-for", "10.0.0.2,"),
        ];
        let found = client(&inside, "10.0.0.1:1", &headers);
        assert_eq!(found.as_deref(), Some("1.2.3.4"));
    }

    #[test]
    fn blank_header_beside_the_other_is_not_there() {
        for (standard, common) in [
            ("for=1.2.3.4", ""),
            ("for=1.2.3.4", " , "),
            ("", "1.2.3.4"),
            (",", "1.2.3.4"),
        ] {
            let headers = [("forwarded", standard), ("x-forwarded-for", common)];
            let found = client(&Forwarded::hops(1), "10.0.0.1:1", &headers);
            assert_eq!(found.as_deref(), Some("1.2.3.4"), "{headers:?}");
        }
    }

    #[test]
    fn addresses_are_read_with_zones_and_ports_of_every_kind() {
        for (address, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("10.0.0.1:80", Some("10.0.0.1")),
            ("10.0.0.1:99999", Some("10.0.0.1")),
            ("10.0.0.1:184467440737095516160", Some("10.0.0.1")),
            ("10.0.0.1:", Some("10.0.0.1")),
            ("10.0.0.1:_port-1", Some("10.0.0.1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            ("fe80::1", Some("fe80::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("fe80::1%25eth0", Some("fe80::1")),
            ("[fe80::1]", Some("fe80::1")),
            ("[fe80::1%eth0]", Some("fe80::1")),
            ("[fe80::1%25eth0]:443", Some("fe80::1")),
            ("[fe80::1]:99999", Some("fe80::1")),
            ("[fe80::1]:_hidden", Some("fe80::1")),
            ("10.0.0.1%eth0", None),
            ("10.0.0.1:http", None),
            ("10.0.0.1:80:80", None),
            ("10.0.0.1:_", None),
            ("10.0.0.1:-1", None),
            ("fe80::1%", None),
            ("fe80::1%et h0", None),
            ("[fe80::1", None),
            ("fe80::1]", None),
            ("[fe80::1]443", None),
            ("[fe80::1%]", None),
            ("[]", None),
            ("10.0.0.256", None),
            ("unknown", None),
            ("_hidden", None),
        ] {
            assert_eq!(told("x-forwarded-for", address).as_deref(), expected);
            let standard = format!("for=\"{address}\"");
            let standard = told("forwarded", &standard);
            assert_eq!(standard.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn commas_and_semicolons_in_quotes_separate_nothing() {
        for value in [
            r#"for=1.2.3.4;by="a,b""#,
            r#"by="a,for=6.6.6.6;for=7.7.7.7",for=1.2.3.4"#,
            r#"by="\",for=6.6.6.6;\"" ; FOR = "1.2.3.4""#,
            r#"by="\\";for="1.2.3.4""#,
            r#"for="\1.2.3\.4";host="""#,
            r#";for=1.2.3.4;;"#,
        ] {
            assert_eq!(told("forwarded", value).as_deref(), Some("1.2.3.4"));
        }
    }

    #[test]
    fn malformed_element_of_forwarded_is_no_address() {
        let many: String = (0..20).map(|n| format!(";x{n}=1")).collect();
        for value in [
            "for=1.2.3.4;for=1.2.3.4",
            "for=1.2.3.4;FOR=6.6.6.6",
            "for=1.2.3.4;by=a;By=b",
            "for=1.2.3.4;by",
            "for=1.2.3.4;=a",
            "for=",
            "1.2.3.4",
            &format!("for=1.2.3.4{many}"),
        ] {
            assert_eq!(told("forwarded", value), None, "{value}");
            let after = format!("{value},for=1.2.3.4");
            assert_eq!(told("forwarded", &after).as_deref(), Some("1.2.3.4"));
        }
    }

    #[test]
    fn unclosed_quotes_hide_their_line_and_earlier_hops() {
        // A client wrote the first part; two trusted proxies added the second.
        for (sent, added) in [
            (r#"for=6.6.6.6, for=""#, r#", for=1.2.3.4, for=10.0.0.2"#),
            (r#"for=6.6.6.6, for=""#, r#", for="1.2.3.4", for=10.0.0.2"#),
            (r#"for=6.6.6.6;by=""#, r#", for="[::1]", for="[::2]""#),
            (r#"for=6.6.6.6;by="\"#, r#", for="[::1]", for="[::2]""#),
            (r#"for=6.6.6.6, a"b"#, r#", for=1.2.3.4, for=10.0.0.2"#),
            (r#"for=6.6.6.6, for="a"b"#, r#", for=1.2.3.4, for=10.0.0.2"#),
        ] {
            let line = format!("{sent}{added}");
            for hops in 1..9 {
                let forwarded = Forwarded::hops(hops);
                let found = client(&forwarded, "10.0.0.3:1", &[("forwarded", &line)]);
                assert_eq!(found, None, "{hops}: {line}");
                // It does not affect later hops; earlier ones cannot be counted any more.
                let lines = [
                    ("forwarded", "for=6.6.6.6"),
                    ("forwarded", &line),
                    ("forwarded", "for=5.6.7.8"),
                ];
                let found = client(&forwarded, "10.0.0.3:1", &lines);
                let expected = (hops == 1).then_some("5.6.7.8");
                assert_eq!(found.as_deref(), expected, "{hops}: {line}");
            }
        }
    }

    #[test]
    fn bytes_that_are_not_text_hide_one_address_only() {
        struct View<'a>(&'a [(&'a str, &'a [u8])]);
        impl crate::propagation::HeaderView for View<'_> {
            fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
                self.0.iter().for_each(|(name, value)| visit(name, value));
            }
        }
        impl RequestView for View<'_> {
            fn headers(&self) -> &dyn crate::propagation::HeaderView {
                self
            }
            fn method(&self) -> &'static str {
                "GET"
            }
            fn path(&self) -> &'static str {
                "/"
            }
        }
        let view = View(&[
            ("x-forwarded-for", b"6.6.6.6"),
            ("x-forwarded-for", b"\xff, 1.2.3.4, 10.0.0.2"),
        ]);
        let client = |hops| Forwarded::hops(hops).client(&view).map(|ip| ip.to_string());
        assert_eq!(client(1).as_deref(), Some("10.0.0.2"));
        assert_eq!(client(2).as_deref(), Some("1.2.3.4"));
        assert_eq!(client(3), None);
        let view = View(&[("forwarded", b"for=6.6.6.6, for=\xff, for=1.2.3.4")]);
        let client = |hops| Forwarded::hops(hops).client(&view).map(|ip| ip.to_string());
        assert_eq!(client(1).as_deref(), Some("1.2.3.4"));
        assert_eq!(client(2), None);
    }

    #[test]
    fn only_the_nearest_hops_are_read() {
        let far = "for=6.6.6.6;by=\"a,b\",".repeat(10_000);
        let near = "for=10.0.0.2,".repeat(MAX_HOPS - 1);
        let line = format!("{far}for=1.2.3.4,{near}");
        let inside = Forwarded::networks(["10.0.0.0/8".parse().unwrap()]);
        let found = client(&inside, "10.0.0.1:1", &[("forwarded", &line)]);
        assert_eq!(found.as_deref(), Some("1.2.3.4"));
        let line = line.replace("for=", "").replace(";by=\"a,b\"", "");
        let found = client(&inside, "10.0.0.1:1", &[("x-forwarded-for", &line)]);
        assert_eq!(found.as_deref(), Some("1.2.3.4"));
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
