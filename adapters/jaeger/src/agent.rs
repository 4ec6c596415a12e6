//! The connection to the agent: name, address, socket, rate.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// Jaeger's port for the compact protocol.
pub(crate) const DEFAULT_PORT: u16 = 6831;

/// Interval of name look-ups: a datagram to an address that is no longer in use is lost without a notice.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(60);

/// Maximum time that a send waits for room in this host's buffer.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time that a refusal from another host is waited for.
const REFUSAL_COMES_WITHIN: Duration = Duration::from_millis(100);

/// The agent's address, or its name, which is looked up when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentAddress {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Default for AgentAddress {
    fn default() -> Self {
        Self {
            host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
            port: DEFAULT_PORT,
        }
    }
}

impl AgentAddress {
    /// Parses `host`, `host:port`, `address`, `address:port` or `[address]:port`. The error is a remedy.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::new(Host::Ip(address.ip()), address.port());
        }
        if let Ok(host) = Host::parse(text) {
            return Self::new(host, DEFAULT_PORT);
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| not_a_host(text))?;
        Self::new(Host::parse(host)?, parse_port(port)?)
    }

    fn new(host: Host, port: u16) -> Result<Self, String> {
        match port {
            0 => Err("port 0 cannot be used; Jaeger's is 6831".to_owned()),
            port => Ok(Self { host, port }),
        }
    }

    /// Returns all its addresses, IPv4 first, in the same order as Jaeger's own clients.
    fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, self.port)]),
            Host::Name(name) => {
                let mut addresses: Vec<SocketAddr> =
                    (name.as_str(), self.port).to_socket_addrs()?.collect();
                addresses.sort_by_key(SocketAddr::is_ipv6);
                addresses.dedup();
                Ok(addresses)
            }
        }
    }
}

impl Host {
    /// Parses a name or an address, an IPv6 one with or without brackets. The error is a remedy.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || text.len() > 253 || !text.bytes().all(is_name_byte) {
            return Err(not_a_host(text));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// Parses a port. The error is a remedy.
pub(crate) fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(format!(
            "`{text}` is not a port; give a number from 1 to 65535, Jaeger's is 6831"
        )),
    }
}

fn not_a_host(text: &str) -> String {
    format!("`{text}` is not a host; give a name or an IP address")
}

/// Sends packets, each at most once unless it was refused.
#[derive(Debug)]
pub(crate) struct Agent {
    address: AgentAddress,
    connection: Option<Connection>,
    /// Whether it is unknown that anything listens: nothing was sent yet, or the last packet was refused.
    is_in_doubt: bool,
    pace: Pace,
}

#[derive(Debug)]
struct Connection {
    socket: UdpSocket,
    since: Instant,
}

impl Agent {
    /// Creates a connection that is opened by the first packet: the agent may start later than the service.
    pub(crate) fn new(address: AgentAddress, bytes_per_second: u32) -> Self {
        Self {
            address,
            connection: None,
            is_in_doubt: true,
            pace: Pace::new(bytes_per_second),
        }
    }

    /// Sends a packet on the connected socket; otherwise to the first of the agent's addresses that does not refuse it.
    ///
    /// An error means that it did not arrive. Success means only that nothing was refused.
    pub(crate) fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.pace.wait(packet.len());
        let mut old = self.connection.take();
        if let Some(connection) = old.take_if(|connection| self.is_current(connection))
            // The error may belong to an earlier packet and come late. Then this packet was not sent; it is sent below.
            && deliver(&connection.socket, packet).is_ok()
        {
            self.connection = Some(connection);
            return Ok(());
        } else if old.is_none() {
            self.is_in_doubt = true;
        }
        let addresses = match (self.address.resolve(), old) {
            (Ok(addresses), _) => addresses,
            // The name cannot be looked up: use the address that worked last.
            (Err(_), Some(connection)) => vec![connection.socket.peer_addr()?],
            (Err(error), None) => return Err(error),
        };
        let mut failure =
            io::Error::new(io::ErrorKind::NotFound, "the agent's name has no address");
        for address in addresses {
            match self.open(address, packet) {
                Ok(socket) => {
                    self.is_in_doubt = false;
                    let since = Instant::now();
                    self.connection = Some(Connection { socket, since });
                    return Ok(());
                }
                Err(error) => failure = error,
            }
        }
        self.is_in_doubt = true;
        Err(failure)
    }

    /// Sends a packet on a new socket, which then stays open for others.
    fn open(&self, address: SocketAddr, packet: &[u8]) -> io::Result<UdpSocket> {
        let socket = connect(address)?;
        deliver(&socket, packet)?;
        // This host refuses at once.
        if self.is_in_doubt && !address.ip().is_loopback() {
            await_refusal(&socket, REFUSAL_COMES_WITHIN)?;
        }
        Ok(socket)
    }

    fn is_current(&self, connection: &Connection) -> bool {
        match self.address.host {
            Host::Ip(_) => true,
            Host::Name(_) => connection.since.elapsed() < LOOK_UP_AGAIN,
        }
    }
}

fn connect(agent: SocketAddr) -> io::Result<UdpSocket> {
    // The routing table chooses the source address: a socket that is bound to loopback reaches no other host.
    let any: IpAddr = match agent {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    // Only a connected socket receives refusals.
    socket.connect(agent)?;
    Ok(socket)
}

fn deliver(socket: &UdpSocket, packet: &[u8]) -> io::Result<()> {
    socket.send(packet)?;
    // A refusal by this host is there at once; one by another host fails the next send.
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Waits this long for a refusal from another host.
fn await_refusal(socket: &UdpSocket, time: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(time))?;
    match socket.recv(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Err(error),
        // Agents send nothing, so the time is over; any other datagram is not a refusal.
        _ => Ok(()),
    }
}

/// Limits the rate of packets, because a packet for which a receiver has no room is lost without a notice.
#[derive(Debug)]
struct Pace {
    bytes_per_second: u32,
    /// When the receiver will have read all packets so far, at the assumed rate.
    taken_up: Instant,
}

impl Pace {
    /// Bytes that may be sent at once: Linux gives a receiver 208 KiB by default, which it shares with other senders.
    const BURST: f64 = 65_000.0;
    /// Bytes that a packet takes in the receiver's buffer in addition to its own.
    const OVERHEAD: f64 = 1024.0;

    fn new(bytes_per_second: u32) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            taken_up: Instant::now(),
        }
    }

    fn wait(&mut self, packet: usize) {
        let now = Instant::now();
        let ahead = self.taken_up.saturating_duration_since(now);
        thread::sleep(ahead.saturating_sub(self.takes(Self::BURST)));
        self.taken_up = self.taken_up.max(now) + self.takes(packet as f64 + Self::OVERHEAD);
    }

    fn takes(&self, bytes: f64) -> Duration {
        Duration::from_secs_f64(bytes / f64::from(self.bytes_per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_usual_form() {
        for (text, host, port) in [
            ("127.0.0.1", Host::Ip([127, 0, 0, 1].into()), 6831),
            ("10.1.2.3:16831", Host::Ip([10, 1, 2, 3].into()), 16831),
            ("::1", Host::Ip(Ipv6Addr::LOCALHOST.into()), 6831),
            ("[::1]", Host::Ip(Ipv6Addr::LOCALHOST.into()), 6831),
            ("[::1]:7000", Host::Ip(Ipv6Addr::LOCALHOST.into()), 7000),
            (
                "agent.jaeger.svc",
                Host::Name("agent.jaeger.svc".to_owned()),
                6831,
            ),
            (
                "jaeger_agent:7000",
                Host::Name("jaeger_agent".to_owned()),
                7000,
            ),
        ] {
            assert_eq!(
                AgentAddress::parse(text),
                Ok(AgentAddress { host, port }),
                "{text}"
            );
        }
        for text in [
            "",
            ":6831",
            "a:b",
            "a:0",
            "a:65536",
            "127.0.0.1:0",
            "http://agent",
            "a b",
            "[::1",
            "a:1:2",
        ] {
            assert!(AgentAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_that_comes_later_is_waited_for() {
        let agent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = connect(agent.local_addr().unwrap()).unwrap();
        socket.send(b"heard").unwrap();
        await_refusal(&socket, Duration::from_millis(1)).unwrap();
        drop(agent);
        // The error stays with the socket until it is read, however it came.
        socket.send(b"refused").unwrap();
        let error = await_refusal(&socket, Duration::from_secs(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_burst_is_spread() {
        let mut pace = Pace::new(10_000_000);
        let start = Instant::now();
        for _ in 0..5 {
            pace.wait(65_000);
        }
        // Two are sent at once; each of the others waits 6.5 ms for one before it.
        assert!(
            start.elapsed() >= Duration::from_millis(19),
            "{:?}",
            start.elapsed()
        );
    }
}
