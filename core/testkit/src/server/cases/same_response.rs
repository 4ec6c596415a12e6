//! Tracing changes no response.

use crate::app::{Reply, turn};
use crate::client::{Connection, Response};
use crate::server::application::problems;
use crate::server::cases::{CHUNKS, TRACEPARENT, UNSAMPLED, in_chunks};
use crate::server::{Feature, Kit, Server};

/// The handler of `/play` here: bodies of every kind, chosen by the query.
pub(super) async fn of_every_kind(query: String) -> Reply {
    match query.as_str() {
        "stream" => in_chunks("").await,
        "sized" => sized(),
        "nothing" => Reply::status(204),
        "unchanged" => Reply::status(304).header("etag", "\"1\""),
        "redirect" => Reply::status(302).header("location", "/play"),
        "missing" => Reply::text("not there").with_status(404),
        "broken" => Reply::text("broken").with_status(500),
        "cookies" => Reply::text("two")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2"),
        "long" => Reply::text("long ".repeat(50_000)),
        _ => Reply::text("text"),
    }
}

/// A stream of [`CHUNKS`] that declares its length.
pub(crate) fn sized() -> Reply {
    let length = CHUNKS.concat().len() as u64;
    Reply::sized(length, async |number| {
        turn().await;
        Some(Ok(CHUNKS.get(number)?.as_bytes().to_vec()))
    })
}

/// Requests whose responses must not change for being traced.
pub(super) const REQUESTS: [(&str, &str); 22] = [
    ("GET", "/play"),
    ("HEAD", "/play"),
    ("POST", "/play"),
    ("GET", "/play?stream"),
    ("HEAD", "/play?stream"),
    ("GET", "/play?sized"),
    ("HEAD", "/play?sized"),
    ("GET", "/play?nothing"),
    ("GET", "/play?unchanged"),
    ("GET", "/play?redirect"),
    ("GET", "/play?missing"),
    ("GET", "/play?broken"),
    ("GET", "/play?cookies"),
    ("GET", "/play?long"),
    ("GET", "/items/7"),
    ("GET", "/nested/items/7"),
    ("HEAD", "/items/7"),
    ("GET", "/error"),
    ("GET", "/rewritten"),
    ("GET", "/declined/7"),
    ("GET", "/chosen"),
    ("GET", "/no/such/path"),
];

/// The application responds as the kit expects when nothing is traced. What is wrong here is not the adapter's fault.
pub fn application_is_right_untraced<S: Server>() {
    let problems = problems::<S>();
    assert!(
        problems.is_empty(),
        "the application is wrong: {}",
        problems.join("\n")
    );
}

/// A traced response is, byte for byte, the untraced one, sampled or not.
pub fn response_is_the_same_untraced<S: Server>() {
    let play = |query: &str| of_every_kind(query.to_owned());
    let traced = Kit::<S>::setup().play(play).start();
    let untraced = Kit::<S>::setup().play(play).untraced().start();
    for (method, path) in REQUESTS {
        let responses = |mut connection: Connection| {
            [UNSAMPLED, TRACEPARENT].map(|traceparent| {
                connection.request(method, path, &[("traceparent", traceparent)]);
                without_date(connection.response(method), method, path)
            })
        };
        let expected = responses(untraced.connect());
        assert_eq!(responses(traced.connect()), expected, "{method} {path}");
        if path == "/no/such/path" && !S::CAPABILITIES.has(Feature::UnmatchedRequests) {
            continue;
        }
        let streams = (method, path) == ("GET", "/play?stream");
        let spans = traced.spans(if streams { 1 + CHUNKS.len() } else { 1 });
        assert!(
            spans.iter().any(|span| span.http().is_some()),
            "{method} {path}"
        );
    }
}

/// A traced response over HTTP/2 is, frame by frame, the untraced one.
pub fn http2_response_is_the_same_untraced<S: Server>() {
    let play = |query: &str| of_every_kind(query.to_owned());
    let traced = Kit::<S>::setup().play(play).start();
    let untraced = Kit::<S>::setup().play(play).untraced().start();
    let (mut with, mut without) = (traced.connect_http2(), untraced.connect_http2());
    for (method, path) in REQUESTS {
        let headers = [("traceparent", UNSAMPLED)];
        let expected = without.request(method, path, &headers);
        let expected = expected.and_then(|exchange| exchange.response());
        let response = with.request(method, path, &headers);
        let response = response.and_then(|exchange| exchange.response());
        if !S::CAPABILITIES.has(Feature::Http2) {
            return assert_eq!((response, expected), (None, None), "{method} {path}");
        }
        let expected = without_date(expected, method, path);
        let response = without_date(response, method, path);
        assert_eq!(response, expected, "{method} {path}");
    }
}

/// Returns a response without the one header that may differ.
#[track_caller]
fn without_date(response: Option<Response>, method: &str, path: &str) -> Response {
    let mut response = response.unwrap_or_else(|| {
        panic!("the response to {method} {path} could not be read (one to HEAD has no body)")
    });
    response.headers.retain(|(name, _)| name != "date");
    response
}
