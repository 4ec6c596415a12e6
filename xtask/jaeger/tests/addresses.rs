//! Tests of the addresses in Jaeger's configuration.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use xtask_jaeger::{Addresses, configuration};

fn all(addresses: &Addresses) -> [SocketAddr; 6] {
    [
        addresses.query,
        addresses.query_grpc,
        addresses.health,
        addresses.otlp_http,
        addresses.otlp_grpc,
        addresses.udp,
    ]
}

#[test]
fn ports_are_free_and_of_this_machine_alone() {
    // Another process may take one meanwhile.
    let all_free = (0..10).any(|_| {
        let addresses = Addresses::free().unwrap();
        for address in all(&addresses) {
            let ip = address.ip();
            assert!(ip.is_loopback() && address.port() != 0, "{address}");
        }
        let tcp = all(&addresses).into_iter().take(5);
        let held: Result<Vec<_>, _> = tcp.map(TcpListener::bind).collect();
        held.is_ok() && UdpSocket::bind(addresses.udp).is_ok()
    });
    assert!(all_free);
}

#[test]
fn no_two_ports_of_tcp_are_the_same() {
    for _ in 0..20 {
        let addresses = Addresses::free().unwrap();
        let tcp: HashSet<_> = all(&addresses).into_iter().take(5).collect();
        assert_eq!(tcp.len(), 5, "{addresses:?}");
    }
}

#[test]
fn the_configuration_has_these_endpoints_and_no_others() {
    let addresses = Addresses::free().unwrap();
    let text = configuration(&addresses);
    let endpoints: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("endpoint: "))
        .collect();
    assert_eq!(endpoints.len(), 6, "{text}");
    for address in all(&addresses) {
        assert!(
            endpoints.contains(&&*address.to_string()),
            "{address}: {text}"
        );
    }
    // Otherwise it would listen on port 8888.
    assert!(text.contains("metrics:\n      level: none"), "{text}");
}

#[test]
fn each_receiver_has_its_own_port() {
    let addresses = Addresses::free().unwrap();
    let text = configuration(&addresses);
    for (name, address) in [
        (
            "jaeger_query:\n    storage:\n      traces: memory\n    enable_tracing: false\n    http:",
            addresses.query,
        ),
        ("use_v2: true\n    http:", addresses.health),
        ("otlp:\n    protocols:\n      grpc:", addresses.otlp_grpc),
        ("thrift_compact:", addresses.udp),
    ] {
        let after = text.split_once(name).map(|(_, after)| after.trim_start());
        let endpoint = format!("endpoint: {address}\n");
        assert!(
            after.is_some_and(|after| after.starts_with(&endpoint)),
            "{name}: {text}"
        );
    }
}

#[test]
fn variables_tell_a_child_process_each_address() {
    let addresses = Addresses::free().unwrap();
    let told: Vec<_> = addresses
        .variables()
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    let expected: Vec<_> = all(&addresses).iter().map(ToString::to_string).collect();
    assert_eq!(told, expected);
    // This process has no such variables.
    assert_eq!(Addresses::from_variables(), None);
}
