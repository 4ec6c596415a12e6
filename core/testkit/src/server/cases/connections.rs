//! What happens to the connection beside its requests.

use opentracing_http::Outcome;

use crate::app::Reply;
use crate::server::cases::{
    PARENT, assert_current, injected, outcome, parent, text, trace, version,
};
use crate::server::{Kit, Server};

/// Requests that follow each other on one connection have spans, and traces, of their own.
pub fn keep_alive_connection_has_a_span_for_each_request<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    let mut traces = Vec::new();
    for _ in 0..3 {
        connection.request("GET", "/play", &[]);
        let response = connection.response("GET").expect("a whole response");
        let span = kit.span();
        assert_current(&response, &span);
        assert_eq!(parent(&span), None);
        traces.push(trace(&span));
    }
    traces.dedup();
    assert_eq!(traces.len(), 3);
}

/// Requests that are sent before the first of them has its response have a span each, with contexts of their own.
pub fn pipelined_requests_have_a_span_each<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    let traceparent = |number: u32| format!("00-{number:032x}-{PARENT}-01");
    let requests: String = (1..=3)
        .map(|number| {
            let header = traceparent(number);
            format!("GET /play HTTP/1.1\r\nhost: test.example\r\ntraceparent: {header}\r\n\r\n")
        })
        .collect();
    connection.send(requests.as_bytes());
    for number in 1..=3 {
        let response = connection.response("GET").expect("a whole response");
        let sent = injected(&response, "traceparent").expect("a span is current");
        assert_eq!(sent[..36], traceparent(number)[..36]);
    }
    let mut traces: Vec<_> = kit.spans(3).iter().map(trace).collect();
    traces.sort_unstable();
    let expected: Vec<_> = (1..=3).map(|number| format!("{number:032x}")).collect();
    assert_eq!(traces, expected);
}

/// A client that leaves after its response ends nothing, and is no request.
pub fn hang_up_between_requests_ends_nothing<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.request("GET", "/play", &[]);
    assert!(connection.response("GET").is_some());
    connection.hang_up();
    assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(200)));
    // Served, so the one that left was noticed or will be: nothing more may end when the server stops.
    let _ = kit.span_of("/play");
}

/// A client that leaves in the middle of a request's head has made no request, and what is no HTTP is none either.
pub fn half_a_head_is_no_request<S: Server>() {
    let kit = Kit::<S>::new();
    for bytes in [&b"GET /play HTTP/1.1\r\nhost: te"[..], b"\r\n", b""] {
        let mut connection = kit.connect();
        connection.send(bytes);
        connection.hang_up();
    }
    let mut connection = kit.connect();
    connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is not HTTP\r\n\r\n");
    let response = connection.response("GET");
    assert!(response.is_none_or(|response| response.status >= 400));
    let _ = kit.span_of("/play");
}

/// HTTP/1.0 is served and traced, a stream of unknown length up to the close of the connection.
pub fn http_1_0_is_served<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.attribute_names(["version"]))
        .play(|_| async {
            Reply::stream(async |number| (number < 2).then(|| Ok(b"chunk ".to_vec())))
        })
        .start();
    let mut connection = kit.connect();
    connection.send(b"GET /play HTTP/1.0\r\nhost: test.example\r\n\r\n");
    let response = connection.response("GET").expect("a whole response");
    assert_eq!(response.text(), "chunk chunk ");
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
    assert_eq!(text(&span, "version"), version::<S>("1.0"));
}
