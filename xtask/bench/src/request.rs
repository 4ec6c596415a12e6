//! The request that everything is measured with.

use http::Request;

/// The path and query of the request; its handler waits once and returns five bytes.
pub(crate) const TARGET: &str = "/users/7?page=2";

/// The path of a request whose handler never returns.
pub(crate) const PARKED: &str = "/parked/7?page=2";

/// The headers of every request, besides the caller's context: seven, as a browser or a client library sends.
pub(crate) const HEADERS: [(&str, &str); 7] = [
    ("host", "shop.example"),
    ("user-agent", "curl/8.5.0"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en"),
    ("connection", "keep-alive"),
    ("cache-control", "no-cache"),
];

/// The headers of one case, beside [`HEADERS`].
pub(crate) type Context = &'static [(&'static str, &'static str)];

/// Returns all headers of a request with this context.
pub(crate) fn headers(
    context: Context,
) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    HEADERS.into_iter().chain(context.iter().copied())
}

/// Makes the request anew, as a server does that has read it.
pub(crate) fn request<B: Default>(target: &str, context: Context) -> Request<B> {
    let mut request = Request::get(target);
    for (name, value) in headers(context) {
        request = request.header(name, value);
    }
    request.body(B::default()).expect("the request is right")
}

/// Returns the bytes of the request as HTTP/1.1 has them.
pub(crate) fn bytes(context: Context) -> Vec<u8> {
    let mut text = format!("GET {TARGET} HTTP/1.1\r\n");
    for (name, value) in headers(context) {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}
