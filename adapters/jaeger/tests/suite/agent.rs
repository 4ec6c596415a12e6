//! A socket that receives packets like an agent.

use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::SOON;
use crate::thrift_batch::{Batch, Span, decode};

/// Reads all the time, as agents do. Dropping it frees its port.
pub(crate) struct Agent {
    address: SocketAddr,
    packets: Receiver<Vec<u8>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Agent {
    /// On loopback, on a free port.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    pub(crate) fn start_at(address: impl ToSocketAddrs) -> Self {
        let socket = UdpSocket::bind(address).expect("the address is free");
        let address = socket.local_addr().expect("it is bound");
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, packets) = channel();
        let stopped = stop.clone();
        let reader = thread::spawn(move || {
            let mut packet = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut packet) {
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                let _ = sender.send(packet[..length].to_vec());
            }
        });
        Self {
            address,
            packets,
            stop,
            reader: Some(reader),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next packet.
    pub(crate) fn batch(&self) -> Batch {
        decode(&self.packets.recv_timeout(SOON).expect("a packet comes"))
    }

    /// Returns the packets that have arrived. If there are none, waits for the next one, at most for `patience`.
    pub(crate) fn waiting(&self, patience: Duration) -> Vec<Batch> {
        // What was sent before comes before.
        self.poke();
        let before = std::iter::from_fn(|| self.packets.recv_timeout(SOON).ok());
        let before = before.take_while(|packet| !packet.is_empty());
        let mut batches: Vec<Batch> = before.map(|packet| decode(&packet)).collect();
        if batches.is_empty() {
            let next = self.packets.recv_timeout(patience).ok();
            batches.extend(next.map(|packet| decode(&packet)));
        }
        batches
    }

    /// Sends itself an empty packet.
    fn poke(&self) {
        let socket = UdpSocket::bind((self.address.ip(), 0)).expect("a port is free");
        socket.send_to(&[], self.address).expect("it listens");
    }

    /// As many packets as it takes to get `count` spans.
    pub(crate) fn batches(&self, count: usize) -> Vec<Batch> {
        let deadline = Instant::now() + SOON;
        let mut batches: Vec<Batch> = Vec::new();
        let mut received = 0;
        while received < count {
            assert!(
                Instant::now() < deadline,
                "{received} of {count} spans came"
            );
            let batch = self.batch();
            received += batch.spans.len();
            batches.push(batch);
        }
        batches
    }

    pub(crate) fn spans(&self, count: usize) -> Vec<Span> {
        self.batches(count)
            .into_iter()
            .flat_map(|batch| batch.spans)
            .collect()
    }

    /// The next span, which has to come alone.
    pub(crate) fn span(&self) -> Span {
        let spans = self.batch().spans;
        let [span] = <[Span; 1]>::try_from(spans).expect("one span");
        span
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the reader; an error would leave it to the end of the process.
        self.poke();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it does not panic");
        }
    }
}
