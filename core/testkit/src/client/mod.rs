//! Small blocking clients of HTTP/1.1 and HTTP/2.

mod http1;
mod http2;

use std::time::Duration;

pub use self::http1::Connection;
pub use self::http2::{Exchange, Http2};

/// How long a response may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a framework that drops the handlers of clients that have left may take to do so. Shorter than the other times: a
/// framework that does not do it, though it is declared, is found out by this alone.
pub(crate) const TIME_TO_CANCEL: Duration = Duration::from_secs(10);

/// A response, its body taken out of its framing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers with lower-case names, in the order of their coming.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers, as the headers.
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first value of a trailer.
    #[must_use]
    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter();
    let (_, value) = headers.find(|(found, _)| found == name)?;
    Some(value)
}
