//! The proxies that are trusted to report a request's origin.

use std::net::IpAddr;

use crate::http::network::Network;
use crate::http::proxy_report::Report;
use crate::http::request_view::RequestView;

/// The proxies that are trusted to report a request's origin: the client's address, and the scheme, host and port that
/// the client used. None by default.
///
/// # Hops
///
/// The hops of a request are those in `Forwarded` (RFC 7239) or `X-Forwarded-For`, followed by the connection's peer.
/// They are read from the nearest to the farthest, as long as they are trusted: everything to the left of the first
/// untrusted hop may be forged.
///
/// Empty list elements are ignored. An address may have a port, which is ignored, and an IPv6 address a zone, which is
/// removed. Commas in quoted strings of `Forwarded` are not separators. An element that has a parameter twice is
/// malformed (RFC 7239, section 4) and hides all that it reports. A line with malformed quoted strings hides all
/// elements in it and before it. At most the 32 nearest hops are read.
///
/// # Scheme, host and port
///
/// They are taken from the element of `Forwarded` that also has the client's address (`proto` and `host`), which the
/// farthest trusted proxy wrote. An element whose address is hidden (`for=_hidden`) still reports them. Otherwise they
/// are taken from `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`: a single value is taken, also without
/// `X-Forwarded-For`; of a list that is as long as `X-Forwarded-For`, the value at the client's position; of any other
/// list, none.
///
/// | fact | read by default | value |
/// |---|---|---|
/// | scheme | yes; see [`scheme`](Self::scheme) | `http` or `https` in any letter case; `ws` and `wss`, which Traefik writes for WebSockets, count as these |
/// | port | yes; see [`port`](Self::port) | 1 to 65535 |
/// | host | no; see [`host`](Self::host) | a valid host of at most 255 bytes, with or without a port; user information is removed |
///
/// Any other value counts as missing. Spans then show what the request itself contains, else what the
/// [policy](crate::HttpTracingBuilder::scheme) contains. This concerns `http.url`, `url.scheme`, `server.address`,
/// `server.port` and the attributes [`URL`](crate::Attribute::URL), [`HOST`](crate::Attribute::HOST) and
/// [`SCHEME`](crate::Attribute::SCHEME), as in Flask behind Werkzeug's `ProxyFix`. Functions of the policy get the
/// request as it arrived.
///
/// `X-Forwarded-Port` replaces another port of the host, whether that is forwarded or not. Instead of the scheme's own
/// port, the host gets none. Without the header, the port of the `Host` header stays: `Host: 10.0.0.1:8080` and the scheme `https`
/// become `https://10.0.0.1:8080/`, and `Host: shop.example` becomes `https://shop.example/` with `server.port` 443.
///
/// # Both kinds of headers
///
/// A proxy that writes one kind of header passes on the other as its client wrote it. So if a request has both, only
/// what both report alike is used. For the address these are `Forwarded` and `X-Forwarded-For`; for scheme and host
/// `Forwarded` and either `X-Forwarded-For` or the header of that fact. `X-Forwarded-Port` is not used beside
/// `Forwarded`, which has ports in hosts only. A header without any element counts as absent.
///
/// ```
/// use opentracing_http::{Forwarded, HttpTracing, InMemoryTracer};
///
/// // One proxy in front of this service.
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).forwarded(Forwarded::hops(1)).build()?;
/// // The same; the proxy overwrites `X-Forwarded-Host`, and its `X-Forwarded-Port` is wrong.
/// let with_host = Forwarded::hops(1).host(true).port(false);
/// // The default.
/// let none = Forwarded::nobody();
/// # let _ = (tracing, with_host, none);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    trusted: Trusted,
    pub(super) scheme: bool,
    pub(super) host: bool,
    pub(super) port: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Trusted {
    Nobody,
    Hops(usize),
    Networks(Vec<Network>),
}

impl Default for Forwarded {
    fn default() -> Self {
        Self::nobody()
    }
}

impl Forwarded {
    const fn new(trusted: Trusted) -> Self {
        Self {
            trusted,
            scheme: true,
            host: false,
            port: true,
        }
    }

    /// Trusts no proxy; the client's address is the peer's. The default.
    #[must_use]
    pub const fn nobody() -> Self {
        Self::new(Trusted::Nobody)
    }

    /// Trusts this number of proxies; the last of them connects to this service.
    ///
    /// Use it only if every request passes through that many proxies: a client whose request passes through fewer could
    /// choose its address, and the scheme, host and port.
    #[must_use]
    pub const fn hops(count: usize) -> Self {
        Self::new(Trusted::Hops(count))
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
        Self::new(Trusted::Networks(networks.into_iter().collect()))
    }

    /// Sets whether the host is read: `host` of `Forwarded`, or `X-Forwarded-Host`. `false` by default. See
    /// [`Forwarded`] for an example.
    ///
    /// Many proxies that write the address and the scheme pass on a client's `X-Forwarded-Host`. Use `true` only if
    /// the trusted proxies overwrite or remove it.
    #[must_use]
    pub const fn host(mut self, is_read: bool) -> Self {
        self.host = is_read;
        self
    }

    /// Sets whether the scheme is read: `proto` of `Forwarded`, or `X-Forwarded-Proto`. `true` by default. See
    /// [`Forwarded`] for an example of such a switch.
    #[must_use]
    pub const fn scheme(mut self, is_read: bool) -> Self {
        self.scheme = is_read;
        self
    }

    /// Sets whether `X-Forwarded-Port` is read. `true` by default. See [`Forwarded`] for an example.
    ///
    /// Use `false` for a proxy that writes its own port behind another one, such as 80 behind a load balancer that ends
    /// TLS.
    #[must_use]
    pub const fn port(mut self, is_read: bool) -> Self {
        self.port = is_read;
        self
    }

    /// Returns what is wrong with the setting, and the remedy.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self.trusted {
            Trusted::Hops(0) => Some(
                "0 hops trust no proxy; use `Forwarded::nobody()`, or give the number of proxies",
            ),
            Trusted::Nobody if self.host => Some(
                "`host(true)` reads no host, because no proxy is trusted; use `Forwarded::hops` or `Forwarded::networks`",
            ),
            _ => None,
        }
    }

    /// Returns `true` if nothing is trusted without the peer's address.
    pub(crate) const fn needs_peer(&self) -> bool {
        matches!(self.trusted, Trusted::Networks(_))
    }

    /// Returns what trusted proxies report.
    pub(crate) fn report<'a>(&self, view: &'a dyn RequestView) -> Report<'a> {
        match &self.trusted {
            Trusted::Nobody | Trusted::Hops(0) => return Report::default(),
            Trusted::Hops(_) => {}
            Trusted::Networks(networks) => {
                let peer = view.peer().map(|peer| peer.ip().to_canonical());
                if !peer.is_some_and(|peer| contain(networks, peer)) {
                    return Report::default();
                }
            }
        }
        Report::read(self, view.headers())
    }

    /// Returns the position of the element that the farthest trusted proxy wrote, from the nearest, and the address in
    /// it, which is the client's. The peer is trusted.
    pub(super) fn farthest(
        &self,
        hops: usize,
        address: impl Fn(usize) -> Option<IpAddr>,
    ) -> Option<(usize, Option<IpAddr>)> {
        let first = hops.checked_sub(1)?;
        match &self.trusted {
            Trusted::Nobody => None,
            Trusted::Hops(count) => {
                // One proxy: the element that it added last. As many proxies as hops or more: the first element.
                let position = first.min(count.checked_sub(1)?);
                Some((position, address(position)))
            }
            Trusted::Networks(networks) => (0..hops)
                .map(|position| (position, address(position)))
                .find(|(position, address)| {
                    let is_trusted = address.is_some_and(|address| contain(networks, address));
                    !is_trusted || *position == first
                }),
        }
    }
}

fn contain(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

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
        forwarded
            .report(&view)
            .client
            .map(|client| client.to_string())
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
        let client = |hops| {
            Forwarded::hops(hops)
                .report(&view)
                .client
                .map(|ip| ip.to_string())
        };
        assert_eq!(client(1).as_deref(), Some("10.0.0.2"));
        assert_eq!(client(2).as_deref(), Some("1.2.3.4"));
        assert_eq!(client(3), None);
        let view = View(&[("forwarded", b"for=6.6.6.6, for=\xff, for=1.2.3.4")]);
        let client = |hops| {
            Forwarded::hops(hops)
                .report(&view)
                .client
                .map(|ip| ip.to_string())
        };
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
}
