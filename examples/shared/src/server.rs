//! How a service starts and stops.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::sync::oneshot;

use crate::tracing::{fail, variable};

/// Returns the address to listen on: on this machine only, at the port of the variable `PORT`, or `default_port`; 0 is
/// any free port.
#[must_use]
pub fn address(default_port: u16) -> SocketAddr {
    let port = variable("PORT").map_or(default_port, |port| {
        port.parse()
            .unwrap_or_else(|_| fail(&format!("PORT is {port:?}, not a number from 0 to 65535")))
    });
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Prints the address that the service listens on, when it can also call other services.
pub fn ready(address: SocketAddr) {
    crate::outgoing::warm_up();
    println!("listening on http://{address}");
}

/// Waits until the service should stop: at Ctrl-C, and at the end of its input if `EXIT_ON_STDIN_EOF` is 1.
pub async fn stopped() {
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = end_of_input() => {}
    }
}

async fn end_of_input() {
    if variable("EXIT_ON_STDIN_EOF").as_deref() != Some("1") {
        return pending().await;
    }
    let (ended, end) = oneshot::channel();
    // A separate thread, because a read of the standard input cannot be cancelled.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
