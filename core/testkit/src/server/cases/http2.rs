//! The same over HTTP/2, with prior knowledge. Where it is not spoken, such a connection brings no response and no span.

use opentracing_http::{Outcome, SemanticConvention};

use crate::app::{Gate, Reply, injected as inject};
use crate::server::cases::bodies::with_trailer;
use crate::server::cases::open_tracing::assert_scheme;
use crate::server::cases::outcomes::{assert_abandoned, assert_hung_up, assert_whole};
use crate::server::cases::{
    CHUNKS, PARENT, TRACEPARENT, assert_current, assert_injected, assert_own_traces, assert_tags,
    at_once, endless, injected, outcome, parent, peer, text, version, waiting,
};
use crate::server::{Feature, Kit, Server};

/// A request continues its caller's trace.
pub fn http2_request_continues_its_trace<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect_http2();
    let headers = [("traceparent", TRACEPARENT), ("baggage", "tenant=blue")];
    let response = connection.get("/play", &headers);
    assert_eq!(response.is_some(), S::CAPABILITIES.has(Feature::Http2));
    let Some(response) = response else {
        return;
    };
    let span = kit.span();
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
    assert_current(&response, &span);
    assert_injected(&response, &[("baggage", "tenant=blue")]);
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/play"));
}

/// Host, scheme and version are those of the request's pseudo-headers.
pub fn http2_pseudo_headers_are_attributes<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    let mut connection = kit.connect_http2();
    if connection.get("/items/7?page=2", &[]).is_none() {
        return assert!(!S::CAPABILITIES.has(Feature::Http2));
    }
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("http.url", "http://test.example/items/7"),
            ("server.address", "test.example"),
            ("url.scheme", "http"),
            ("url.path", "/items/7"),
            ("url.query", "page=REDACTED"),
        ],
    );
    assert_eq!(text(&span, "network.protocol.version"), version::<S>("2"));
    let port = peer::<S>(&connection.local_addr().port());
    assert_eq!(text(&span, "network.peer.port"), port);
}

/// `:authority` is the host, whatever `Host` names (RFC 9113, section 8.3.1).
pub fn http2_authority_wins_over_the_host_header<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    let mut connection = kit.connect_http2();
    let response = connection.get("/play", &[("host", "other.example")]);
    if response.is_none() {
        return assert!(!S::CAPABILITIES.has(Feature::Http2));
    }
    let host = match S::CAPABILITIES.has(Feature::Http2Authority) {
        true => "test.example",
        false => "other.example",
    };
    let span = kit.span();
    let url = format!("http://{host}/play");
    assert_tags(&span, &[("http.url", url)]);
    assert_tags(&span, &[("server.address", host)]);
}

/// `:scheme` is that of the URL, whatever the connection is (RFC 9113, section 8.3.1).
pub fn http2_scheme_is_that_of_the_url<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.convention(SemanticConvention::Both));
    let mut connection = kit.connect_http2();
    if connection.get("https://test.example/play", &[]).is_none() {
        return assert!(!S::CAPABILITIES.has(Feature::Http2));
    }
    assert_scheme(&kit);
}

/// Requests that are served at the same time on one connection see their own spans.
pub fn http2_streams_keep_their_own_spans<S: Server>() {
    let streams = at_once::<S>(50);
    let gate = Gate::default();
    let all_there = gate.clone();
    let kit = Kit::<S>::playing(move |_| {
        let gate = gate.clone();
        async move {
            let before = inject();
            gate.wait().await;
            assert_eq!(inject(), before);
            Reply::text(before)
        }
    });
    let mut connection = kit.connect_http2();
    let sent = |number: usize| format!("00-{:032x}-{PARENT}-01", number + 1);
    let exchanges: Vec<_> = (0..streams)
        .map_while(|number| connection.request("GET", "/play", &[("traceparent", &sent(number))]))
        .collect();
    if !S::CAPABILITIES.has(Feature::Http2) {
        let responses = exchanges.into_iter().map(|exchange| exchange.response());
        return assert!(responses.flatten().next().is_none());
    }
    all_there.wait_for_arrivals(streams);
    all_there.open();
    assert_eq!(exchanges.len(), streams);
    for (number, exchange) in exchanges.into_iter().enumerate() {
        let response = exchange.response().expect("a whole response");
        let found = injected(&response, "traceparent").expect("a span is current");
        assert_eq!(found[..36], sent(number)[..36]);
    }
    assert_own_traces(&kit, streams);
}

/// A stream that is reset before its head ends the span as cancelled, or the handler runs to its end.
pub fn http2_reset_before_the_head_ends_the_span<S: Server>() {
    let gate = Gate::default();
    let kit = Kit::<S>::playing(waiting(&gate));
    let mut connection = kit.connect_http2();
    let exchange = connection.request("GET", "/play", &[]);
    if !S::CAPABILITIES.has(Feature::Http2) {
        return assert!(exchange.and_then(|exchange| exchange.response()).is_none());
    }
    gate.wait_for_arrivals(1);
    exchange.expect("a request").reset();
    assert_hung_up(&kit, "reset", S::CAPABILITIES.reset(), &gate);
}

/// A stream that is reset in its body is an abandoned one; others on the connection go on.
pub fn http2_reset_in_the_body_is_an_abandoned_body<S: Server>() {
    if !S::CAPABILITIES.has(Feature::Streams) {
        return assert_whole::<S>();
    }
    let gate = Gate::default();
    let kit = Kit::<S>::playing(endless(&gate));
    let mut connection = kit.connect_http2();
    let exchange = connection.request("GET", "/play", &[]);
    if !S::CAPABILITIES.has(Feature::Http2) {
        return assert!(exchange.and_then(|exchange| exchange.response()).is_none());
    }
    let mut exchange = exchange.expect("a request");
    assert_eq!(exchange.head().map(|head| head.status), Some(200));
    assert_eq!(
        exchange.chunk().flatten().as_deref(),
        Some(CHUNKS[0].as_bytes())
    );
    gate.wait_for_arrivals(1);
    exchange.reset();
    assert_abandoned(&kit, "reset", S::CAPABILITIES.reset(), &gate);
    let response = connection
        .get("/items/7", &[])
        .expect("the connection stands");
    assert_eq!(response.text(), "7");
    let _ = kit.span();
}

/// Trailers arrive, and end the span.
pub fn http2_trailers_end_the_span<S: Server>() {
    let kit = Kit::<S>::playing(|_| with_trailer());
    let mut connection = kit.connect_http2();
    let Some(response) = connection.get("/play", &[("te", "trailers")]) else {
        return assert!(!S::CAPABILITIES.has(Feature::Http2));
    };
    assert_eq!(response.text(), CHUNKS.concat());
    let trailer = S::CAPABILITIES.has(Feature::Trailers);
    assert_eq!(response.trailer("x-sum"), trailer.then_some("42"));
    assert_eq!(outcome(&kit.span()), (Outcome::Completed, Some(200)));
}
