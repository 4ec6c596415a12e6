//! Requests over sockets, as fast as the server responds.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Requests until the time is over, over so many connections, each with a thread of its own and one request at a time.
/// Returns how many there were, and how long it took.
pub(super) fn load(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    time: Duration,
) -> io::Result<(u64, Duration)> {
    let start = Instant::now();
    let end = start + time;
    let counts: io::Result<Vec<u64>> = thread::scope(|scope| {
        let running: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| connection(address, request, end)))
            .collect();
        let counts = running.into_iter().map(|thread| thread.join());
        counts
            .map(|count| count.unwrap_or_else(|_| Err(io::Error::other("a panic"))))
            .collect()
    });
    Ok((counts?.into_iter().sum(), start.elapsed()))
}

fn connection(address: SocketAddr, request: &[u8], end: Instant) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut buffer = Vec::with_capacity(4096);
    let mut count = 0;
    while Instant::now() < end {
        stream.write_all(request)?;
        buffer.clear();
        let length = loop {
            let mut chunk = [0; 2048];
            match stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => buffer.extend_from_slice(&chunk[..read]),
            }
            if let Some(length) = response_length(&buffer)? {
                break length;
            }
        };
        if length != buffer.len() {
            return Err(io::Error::other("more than one response to a request"));
        }
        count += 1;
    }
    Ok(count)
}

/// Returns the length of the response at the start of these bytes, or `None` if it is not complete. A response with another
/// status than 200, or without a length, is an error.
fn response_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(format!("the server responds: {head}")));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let Some(length) = length else {
        return Err(io::Error::other(format!(
            "a response without a length: {head}"
        )));
    };
    let length = end + 4 + length;
    Ok((bytes.len() >= length).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::response_length;

    #[test]
    fn response_is_complete_with_the_last_byte_of_its_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for end in 0..text.len() {
            assert_eq!(response_length(&text[..end]).expect("no error"), None);
        }
        let length = response_length(text).expect("no error");
        assert_eq!(length, Some(text.len()));
    }

    #[test]
    fn error_status_and_missing_length_are_errors() {
        assert!(response_length(b"HTTP/1.1 404 Not Found\r\n\r\n").is_err());
        assert!(response_length(b"HTTP/1.1 200 OK\r\ndate: x\r\n\r\n").is_err());
    }
}
