//! Bodies, and when the span ends.

use std::time::Instant;

use opentracing_http::{Outcome, SpanEnd};

use crate::app::{GREETING, Gate, Playing, Reply, turn};
use crate::server::application::HANDSHAKE;
use crate::server::cases::same_response::{of_every_kind, sized};
use crate::server::cases::{
    CHUNKS, TRACEPARENT, assert_tags, in_chunks, outcome, text, with_status,
};
use crate::server::{Feature, Kit, Server};

/// A handler that streams the first two of [`CHUNKS`], the second once the gate is open, of a content type.
pub(crate) fn gated(
    gate: &Gate,
    content_type: &'static str,
) -> impl Fn(&str) -> Playing + Send + Sync + use<> {
    let gate = gate.clone();
    move |_| {
        let gate = gate.clone();
        Box::pin(async move {
            let reply = Reply::stream(move |number| {
                let gate = gate.clone();
                async move {
                    if number == 1 {
                        gate.wait().await;
                    }
                    Some(Ok(CHUNKS[..2].get(number)?.as_bytes().to_vec()))
                }
            });
            reply.header("content-type", content_type)
        })
    }
}

/// Whether the span of such a response to a `GET` has ended before its second chunk; it has at the latest after it.
fn ends_before_its_body<S: Server>(end: Option<SpanEnd>, content_type: &'static str) -> bool {
    ends_early::<S>(end, "GET", "/play", content_type)
}

/// Whether the span of such a response has ended before its second chunk; it has at the latest after it.
pub(crate) fn ends_early<S: Server>(
    end: Option<SpanEnd>,
    method: &str,
    path: &str,
    content_type: &'static str,
) -> bool {
    let gate = Gate::default();
    let kit = Kit::<S>::setup()
        .policy(|policy| match end {
            Some(end) => policy.ends(end),
            None => policy,
        })
        .play(gated(&gate, content_type))
        .start();
    if !S::CAPABILITIES.has(Feature::Streams) {
        // Nothing is seen of it before all of it is there. What the span counts shows when it ended.
        gate.open();
        assert_eq!(kit.send(method, path, &[]).text(), CHUNKS[..2].concat());
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
        return span.http().is_some_and(|http| http.body_bytes() == 0);
    }
    let mut connection = kit.request(method, path, &[]);
    assert_eq!(connection.head().map(|head| head.status), Some(200));
    assert!(connection.chunk().is_some());
    // The body is being made by now, and the head was long before.
    gate.wait_for_arrivals(1);
    let early = kit.left();
    gate.open();
    while connection.chunk().flatten().is_some() {}
    let (span, is_early) = match early.into_iter().next() {
        Some(span) => (span, true),
        None => (kit.span(), false),
    };
    assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
    let http = span.http().expect("a request's span");
    let sent = if is_early {
        0
    } else {
        CHUNKS[..2].concat().len()
    };
    assert_eq!(http.body_bytes(), sent as u64);
    assert!(http.time_to_head().is_some());
    is_early
}

/// The span ends with the last byte of the body.
pub fn span_ends_with_the_body_by_default<S: Server>() {
    assert!(!ends_before_its_body::<S>(None, "text/plain"));
}

/// The span ends with the response's head, if the policy sets that.
pub fn span_ends_with_the_head_if_set<S: Server>() {
    assert!(ends_before_its_body::<S>(Some(SpanEnd::Head), "text/plain"));
    assert!(ends_before_its_body::<S>(
        Some(SpanEnd::Head),
        "text/event-stream"
    ));
}

/// A streamed body that is sent to its end is complete, once, and its bytes are counted.
pub fn streamed_body_finishes_once<S: Server>() {
    let kit = Kit::<S>::playing(in_chunks);
    assert_eq!(kit.get("/play").text(), CHUNKS.concat());
    let spans = kit.spans(1 + CHUNKS.len());
    let request = spans.last().expect("the request's span ends last");
    assert_eq!(outcome(request), (Outcome::Completed, Some(200)));
    assert_eq!(
        request.http().map(|http| http.body_bytes()),
        Some(CHUNKS.concat().len() as u64)
    );
}

/// A stream that declares its length is complete with its last byte: servers do not poll it once more.
pub fn content_length_over_a_stream_is_complete<S: Server>() {
    let kit = Kit::<S>::playing(|_| async { sized() });
    let mut connection = kit.connect();
    for _ in 0..2 {
        connection.request("GET", "/play", &[]);
        let response = connection.response("GET").expect("a whole response");
        let length = CHUNKS.concat().len().to_string();
        assert_eq!(response.header("content-length"), Some(length.as_str()));
        assert_eq!(response.text(), CHUNKS.concat());
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
        assert_eq!(text(&span, "http.outcome"), None);
    }
}

/// `HEAD` is complete with the head, of whatever body it would have had, and is the method in name and tags.
pub fn head_request_is_complete_without_its_body<S: Server>() {
    let kit = Kit::<S>::playing(|query: &str| of_every_kind(query.to_owned()));
    for path in ["/play", "/play?stream", "/play?sized", "/items/7"] {
        assert_eq!(kit.send("HEAD", path, &[]).status, 200);
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Completed, Some(200)), "{path}");
        assert_tags(&span, &[("http.method", "HEAD")]);
        let route = path.split('?').next().unwrap_or(path);
        let route = if route == "/items/7" {
            "/items/{id}"
        } else {
            route
        };
        assert_eq!(span.name(), S::CAPABILITIES.name("HEAD", route));
    }
}

/// Responses that cannot have a body, or have an empty one, are complete with their head.
pub fn responses_that_have_no_body_are_complete<S: Server>() {
    let kit = Kit::<S>::playing(with_status);
    for status in [200, 204, 304] {
        let response = kit.get(&format!("/play?{status}"));
        assert_eq!((response.status, response.text().as_str()), (status, ""));
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Completed, Some(status)));
        assert_eq!(span.http().map(|http| http.body_bytes()), Some(0));
    }
}

/// Trailers arrive behind the body, and end the span.
pub fn trailers_are_passed_on<S: Server>() {
    let trailer = S::CAPABILITIES.has(Feature::Trailers);
    let kit = Kit::<S>::playing(|_| with_trailer());
    let headers = [("te", "trailers")];
    let response = kit.get_with("/play", &headers);
    assert_eq!(response.text(), CHUNKS.concat());
    assert_eq!(response.trailer("x-sum"), trailer.then_some("42"));
    assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(200)));
}

/// A handler whose response has a trailer.
pub(crate) async fn with_trailer() -> Reply {
    let reply = Reply::stream(async |number| {
        turn().await;
        Some(Ok(CHUNKS.get(number)?.as_bytes().to_vec()))
    });
    reply.header("trailer", "x-sum").trailer("x-sum", "42")
}

/// An upgrade goes through the tracing, and its span ends with its head.
pub fn upgrade_ends_with_its_head<S: Server>() {
    let upgrades = S::CAPABILITIES.has(Feature::Upgrade);
    let kit = Kit::<S>::new();
    let mut connection = kit.request("GET", "/upgrade", &HANDSHAKE);
    let head = connection.head().expect("a whole response");
    if upgrades {
        assert_eq!(head.status, 101);
        // While the connection is open: it may stay so for days.
        let span = kit.span();
        assert_eq!(outcome(&span).0, Outcome::Completed);
        assert!(!span.is_error());
        assert_eq!(
            connection.bytes(GREETING.len()).as_deref(),
            Some(&GREETING[..])
        );
    } else {
        assert_ne!(head.status, 101);
        let _ = kit.span();
    }
}

/// A request's body that the handler does not read changes nothing, and the span is complete.
pub fn unread_request_body_is_harmless<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    let body = "x".repeat(3_000);
    let head = format!(
        "POST /play HTTP/1.1\r\nhost: test.example\r\ntraceparent: {TRACEPARENT}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head.as_bytes());
    connection.send(body.as_bytes());
    let response = connection.response("POST").expect("a whole response");
    assert_eq!(response.status, 200);
    assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(200)));
}

/// A client that sends its body slowly is served, and its span covers the time that it took.
pub fn slow_writer_is_served<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.send(b"POST /echo HTTP/1.1\r\nhost: test.example\r\ncontent-length: 12\r\n\r\n");
    let mut others = Vec::new();
    for part in ["slow", "ly, "] {
        connection.send(part.as_bytes());
        // Another request in between, so that the server has had to wait for the rest.
        kit.get_ok("/items/7");
        others.push(kit.span());
    }
    connection.send(b"slow");
    let response = connection.response("POST").expect("a whole response");
    assert_eq!(response.text(), "slowly, slow");
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
    assert_eq!(span.name(), S::CAPABILITIES.name("POST", "/echo"));
    assert!(others.iter().all(|other| other.end() <= span.end()));
}

/// A client that reads slowly gets everything, and the span lasts until the last of it is handed to the server.
pub fn slow_reader_is_covered_to_the_end<S: Server>() {
    /// More than the buffers of both ends take.
    const CHUNKS: usize = 400;
    const SIZE: usize = 64 * 1024;

    let kit = Kit::<S>::playing(|_| async {
        Reply::stream(async |number| (number < CHUNKS).then(|| Ok(vec![b'x'; SIZE])))
    });
    if !S::CAPABILITIES.has(Feature::Streams) {
        assert_eq!(kit.get("/play").body.len(), CHUNKS * SIZE);
        return assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(200)));
    }
    let mut connection = kit.request("GET", "/play", &[]);
    assert_eq!(connection.head().map(|head| head.status), Some(200));
    // The span has started by now.
    let since = Instant::now();
    assert!(connection.chunk().is_some());
    for _ in 0..5 {
        assert_eq!(
            kit.span_of("/items/7").name(),
            S::CAPABILITIES.name("GET", "/items/{id}")
        );
    }
    let waited = since.elapsed();
    let mut read = 0;
    while let Some(chunk) = connection.chunk().expect("the body goes on") {
        read += chunk.len();
    }
    assert!(read <= CHUNKS * SIZE);
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
    assert_eq!(
        span.http().map(|http| http.body_bytes()),
        Some((CHUNKS * SIZE) as u64)
    );
    assert!(span.duration() >= waited, "{span:?}");
}
