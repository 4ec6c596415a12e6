//! A UDP port for Jaeger clients.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::compact::decode_batch;
use crate::store::SpanStore;

/// A replacement for `jaeger-agent`, on a free port of this machine and without a backend: every span is stored in a
/// [`SpanStore`]. A packet that cannot be decoded completely becomes a problem there.
///
/// Dropping it closes the port and ends its thread.
#[derive(Debug)]
pub struct Agent {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// Returns an error if the system provides no socket or no thread.
    pub fn start(store: Arc<SpanStore>) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new()
            .name("jaeger-agent".to_owned())
            .spawn({
                let stop = stop.clone();
                move || receive(&socket, &store, &stop)
            })?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the address to send spans to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The thread waits for a packet; this one ends the wait.
        let woken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            // It fails only if the thread panicked, which has been printed.
            let _ = thread.join();
        }
    }
}

fn receive(socket: &UdpSocket, store: &SpanStore, stop: &AtomicBool) {
    // The maximum size of a datagram.
    let mut buffer = vec![0; 65_536];
    loop {
        let received = socket.recv(&mut buffer);
        if stop.load(Ordering::Acquire) {
            return;
        }
        match received.map(|length| buffer.get(..length).unwrap_or_default()) {
            Ok(packet) => match decode_batch(packet) {
                Ok(spans) => spans.into_iter().for_each(|span| store.add(span)),
                Err(error) => {
                    store.add_problem(format!("a packet of {} bytes: {error}", packet.len()))
                }
            },
            Err(error) => store.add_problem(format!("the agent's socket: {error}")),
        }
    }
}
