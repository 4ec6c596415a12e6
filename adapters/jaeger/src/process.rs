//! The description of the process, which is sent with each packet.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use opentracing_http::Tag;
use opentracing_http::env::host_name;
use rustracing_jaeger::thrift::jaeger;

use crate::convert;

/// Returns the service, the user's tags, and, unless these set them, the client's version and the host's name and
/// address.
pub(crate) fn process(service_name: String, tags: Vec<Tag>) -> jaeger::Process {
    let mut all: Vec<Tag> = vec![Tag::new(
        "jaeger.version",
        concat!(env!("CARGO_PKG_NAME"), "-", env!("CARGO_PKG_VERSION")),
    )];
    all.extend(host_name().map(|name| Tag::new("hostname", name)));
    all.extend(host_address().map(|address| Tag::new("ip", address.to_string())));
    for tag in tags {
        all.retain(|old| old.key != tag.key);
        all.push(tag);
    }
    jaeger::Process {
        service_name,
        tags: all.into_iter().map(convert::tag).collect(),
    }
}

/// Returns the address from which this host would call others. Connecting a datagram socket chooses it and sends
/// nothing.
fn host_address() -> Option<IpAddr> {
    // TEST-NET-1, which is not assigned (RFC 5737) and routed like the internet.
    const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((ELSEWHERE, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}
