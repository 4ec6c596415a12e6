//! Receivers of spans: they accept all spans and discard them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

/// The receivers' addresses, as passed to the command's child processes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Addresses {
    /// The address of the agent that Jaeger's spans are sent to.
    #[arg(long, default_value = "127.0.0.1:1")]
    pub(crate) jaeger: String,
    /// The address of the collector that OTLP's spans are sent to.
    #[arg(long, default_value = "127.0.0.1:1")]
    pub(crate) otlp: String,
}

impl Addresses {
    /// Returns the options that a child process is started with.
    pub(crate) fn options(&self) -> [String; 2] {
        [
            format!("--jaeger={}", self.jaeger),
            format!("--otlp={}", self.otlp),
        ]
    }
}

/// Receivers that listen as long as they are kept.
#[derive(Debug)]
pub(crate) struct Receivers {
    pub(crate) addresses: Addresses,
    /// It is not read; the kernel drops packets that exceed its buffer, as with an agent that is too slow.
    _agent: UdpSocket,
}

impl Receivers {
    /// Starts to listen on free ports of this machine.
    pub(crate) fn start() -> io::Result<Self> {
        let agent = UdpSocket::bind("127.0.0.1:0")?;
        let collector = TcpListener::bind("127.0.0.1:0")?;
        let addresses = Addresses {
            jaeger: agent.local_addr()?.to_string(),
            otlp: collector.local_addr()?.to_string(),
        };
        // Its threads end with the process.
        thread::spawn(move || {
            for connection in collector.incoming().flatten() {
                thread::spawn(move || take(connection));
            }
        });
        Ok(Self {
            addresses,
            _agent: agent,
        })
    }
}

/// Reads requests until the connection ends, and responds to each with an empty 200.
fn take(mut connection: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, connection.try_clone()?);
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let text = line.trim_end().to_ascii_lowercase();
            if let Some(value) = text.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if text.starts_with("transfer-encoding:") {
                return Err(io::Error::other("OTLP's exporter sends a length"));
            }
            if text.is_empty() {
                break;
            }
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        connection.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
        )?;
    }
}
