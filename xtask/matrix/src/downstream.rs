//! The service that the driver plays: it records the headers of calls, and delays its response if requested.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::upstream::Headers;

/// Maximum delay of a response.
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// A server on a free port with the paths `/answer/<key>` and `/hold/<key>`; each run has its own key.
#[derive(Debug)]
pub(crate) struct Downstream {
    address: SocketAddr,
    calls: Arc<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    headers: HashMap<String, Headers>,
    released: HashSet<String>,
}

/// A delay of a response, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    downstream: &'a Downstream,
    key: String,
}

impl Downstream {
    /// Starts to listen; the threads live as long as the driver.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let calls = Arc::new(Calls::default());
        thread::Builder::new()
            .name("downstream".to_owned())
            .spawn({
                let calls = calls.clone();
                move || {
                    for connection in listener.incoming().flatten() {
                        let calls = calls.clone();
                        // A broken connection is the caller's problem: its call is then missing.
                        thread::spawn(move || drop(serve(connection, &calls)));
                    }
                }
            })?;
        Ok(Self { address, calls })
    }

    /// Returns an address that responds at once.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("http://{}/answer/{key}", self.address)
    }

    /// Returns an address that responds when the hold is dropped.
    pub(crate) fn hold(&self, key: &str) -> (String, Hold<'_>) {
        let hold = Hold {
            downstream: self,
            key: key.to_owned(),
        };
        (format!("http://{}/hold/{key}", self.address), hold)
    }

    /// Waits for the call with a key, and returns its headers.
    pub(crate) fn wait_for_call(&self, key: &str, timeout: Duration) -> Option<Headers> {
        let deadline = Instant::now() + timeout;
        let mut state = self.calls.lock();
        loop {
            if let Some(headers) = state.headers.get(key) {
                return Some(headers.clone());
            }
            state = self.calls.wait(state, deadline)?;
        }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.downstream
            .calls
            .lock()
            .released
            .insert(self.key.clone());
        self.downstream.calls.changed.notify_all();
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change; returns `None` if the time is over.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Instant,
    ) -> Option<MutexGuard<'a, State>> {
        let left = deadline.checked_duration_since(Instant::now())?;
        let waited = self.changed.wait_timeout(state, left);
        Some(waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state))
    }
}

fn serve(mut connection: TcpStream, calls: &Calls) -> io::Result<()> {
    let (path, headers) = read_head(&mut connection)?;
    let (hold, key) = match path.strip_prefix("/hold/") {
        Some(key) => (true, key),
        None => (false, path.strip_prefix("/answer/").unwrap_or(&path)),
    };
    let mut state = calls.lock();
    state.headers.insert(key.to_owned(), headers);
    calls.changed.notify_all();
    let deadline = Instant::now() + LONGEST_HOLD;
    while hold && !state.released.contains(key) {
        match calls.wait(state, deadline) {
            Some(changed) => state = changed,
            None => return Ok(()),
        }
    }
    drop(state);
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nanswer")
}

/// Reads a request without a body: its path and its headers.
fn read_head(connection: &mut TcpStream) -> io::Result<(String, Headers)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = connection.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend(buffer.iter().take(count));
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if request
            .parse(&bytes)
            .map_err(io::Error::other)?
            .is_complete()
        {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = request.headers.iter();
            let headers =
                headers.map(|header| (header.name.to_ascii_lowercase(), text(header.value)));
            return Ok((
                request.path.unwrap_or_default().to_owned(),
                headers.collect(),
            ));
        }
    }
}
