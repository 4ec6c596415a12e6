//! The span in the handler.

use std::thread;

use opentracing_http::{Span, Tag};

use crate::app::{Gate, Reply, injected as inject, turn};
use crate::client::Connection;
use crate::server::cases::outcomes::logged;
use crate::server::cases::{
    CHUNKS, PARENT, assert_chunks_below, assert_current, assert_own_traces, assert_tags, at_once,
    in_chunks, trace, traceparent,
};
use crate::server::{Kit, Server};

/// The request's span is the current one in the handler; nothing of it is in the response.
pub fn handler_sees_the_active_span<S: Server>() {
    let kit = Kit::<S>::playing(|_| {
        // Also before the handler is first polled.
        let called = inject();
        async move { Reply::text(called + &inject()) }
    });
    let response = kit.get("/play");
    let span = kit.span();
    let sent: Vec<_> = response.text().lines().map(str::to_owned).collect();
    let line = format!("traceparent: {}", traceparent(&span));
    let seen = sent.iter().filter(|sent| **sent == line).count();
    assert_eq!(
        seen, 2,
        "in the call and in the poll stands {line}, not {sent:#?}"
    );
    assert_eq!(response.header("traceparent"), None);
}

/// The adapter's own way to the span, with the request in hand, gives the request's span.
pub fn extractor_gives_the_active_span<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get("/extracted");
    assert_current(&response, &kit.span());
}

/// The request's span is the current one after the handler has waited, wherever it goes on.
pub fn active_span_survives_an_await<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        let mut seen = Vec::new();
        for _ in 0..20 {
            turn().await;
            seen.push(inject());
        }
        seen.dedup();
        assert_eq!(seen.len(), 1);
        Reply::text(seen.concat())
    });
    let response = kit.get("/play");
    let span = kit.span();
    assert_current(&response, &span);
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/play"));
}

/// The request's span is current while its body is made.
pub fn active_span_is_current_while_the_body_is_made<S: Server>() {
    let kit = Kit::<S>::playing(in_chunks);
    assert_eq!(kit.get("/play").text(), CHUNKS.concat());
    let spans = kit.spans(1 + CHUNKS.len());
    let (request, chunks) = spans.split_last().expect("the request's span ends last");
    assert_chunks_below(request, chunks);
}

/// A child that the handler starts has the request's span as its parent, and lies within it; tags and logs that the handler adds
/// stand in the request's span.
pub fn child_of_the_active_span_is_a_child<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        let span = Span::current();
        span.set_tag("user.id", 7);
        span.log([Tag::new("event", "priced")]);
        span.child("child").finish();
        Reply::text("")
    });
    kit.get_ok("/play");
    let spans = kit.spans(2);
    let (child, request) = (&spans[0], &spans[1]);
    assert_tags(request, &[("user.id", 7)]);
    assert_eq!(logged(request, "event").as_deref(), Some("priced"));
    assert!(child.tags().is_empty() && child.logs().is_empty());
    assert_eq!(child.name(), "child");
    assert_eq!(child.parent_id(), Some(request.context().span_id()));
    assert_eq!(trace(child), trace(request));
    assert!(request.start() <= child.start() && child.end() <= request.end());
}

/// The name that the handler gives holds, whatever becomes known of the route.
pub fn handler_can_rename_its_span<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        Span::current().set_name("checkout");
        Reply::text("")
    });
    for path in ["/play", "/chosen", "/scope/chosen"] {
        assert_eq!(kit.span_of(path).name(), "checkout", "{path}");
    }
}

/// Two hundred requests (or as many as the framework can) that are all being served at the same time, each going on by turns, see their own spans throughout.
pub fn two_hundred_interleaved_requests_keep_their_spans<S: Server>() {
    let requests = at_once::<S>(200);
    let gate = Gate::default();
    let all_there = gate.clone();
    let kit = Kit::<S>::playing(move |_| {
        let gate = gate.clone();
        async move {
            let mut seen = vec![inject()];
            gate.wait().await;
            for _ in 0..10 {
                turn().await;
                seen.push(inject());
            }
            seen.dedup();
            Reply::text(seen.concat())
        }
    });
    let sent = |number: usize| format!("00-{:032x}-{PARENT}-01", number + 1);
    let mut connections: Vec<_> = (0..requests).map(|_| kit.connect()).collect();
    for (number, connection) in connections.iter_mut().enumerate() {
        connection.request("GET", "/play", &[("traceparent", &sent(number))]);
    }
    all_there.wait_for_arrivals(requests);
    all_there.open();
    for (number, connection) in connections.iter_mut().enumerate() {
        let response = connection.response("GET").expect("a whole response");
        let lines = response.text();
        let seen: Vec<_> = lines
            .lines()
            .filter(|line| line.starts_with("traceparent"))
            .collect();
        assert_eq!(seen.len(), 1, "{lines}");
        assert!(seen[0].contains(&sent(number)[..36]), "{lines}");
    }
    assert_own_traces(&kit, requests);
}

/// After traced requests of every kind, the threads that served them have no span left over for an untraced one.
pub fn no_span_leaks_into_the_next_request<S: Server>() {
    let kit = Kit::<S>::setup()
        .only_mount_points()
        .play(|query| {
            let query = query.to_owned();
            async move {
                turn().await;
                match query.as_str() {
                    "panic" => panic!("as asked for"),
                    "chunks" => in_chunks("").await,
                    _ => Reply::text(inject()),
                }
            }
        })
        .start();
    let address = kit.addr();
    thread::scope(|scope| {
        for client in 0..4 {
            scope.spawn(move || {
                for number in 0..10 {
                    let query = ["?panic", "?chunks", ""][(client + number) % 3];
                    let mut connection = Connection::open(address);
                    connection.request("GET", &format!("/chosen{query}"), &[]);
                    let _ = connection.response("GET");
                    let mut connection = Connection::open(address);
                    connection.request("GET", "/play", &[]);
                    let response = connection.response("GET").expect("a whole response");
                    assert_eq!(response.text(), "none\n", "after {query}");
                }
            });
        }
    });
    let kinds = (0..40).map(|number| (number / 10 + number % 10) % 3);
    let spans: usize = kinds
        .map(|kind| if kind == 1 { 1 + CHUNKS.len() } else { 1 })
        .sum();
    assert_eq!(kit.spans(spans).len(), spans);
}
