//! What a call from a handler takes along of what came in, and what it does not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use opentracing_http::Span;

use crate::app::{Gate, Reply};
use crate::client::Connection;
use crate::server::cases::{PARENT, TRACE, TRACEPARENT, injected, parent, trace, traceparent};
use crate::server::{Kit, Server};

/// The next service's response, after a call with what the current span injects.
pub(crate) async fn call(address: SocketAddr, path: &'static str) -> Reply {
    let mut headers = Vec::new();
    Span::current().inject(&mut |name: &str, value: &str| {
        headers.push((name.to_owned(), value.to_owned()));
    });
    // A blocking call would hold up a handler's thread: it gets its own.
    let (answer, gate) = (Arc::new(Mutex::new(None)), Gate::default());
    thread::spawn({
        let (answer, gate) = (answer.clone(), gate.clone());
        move || {
            let headers = headers.iter();
            let headers: Vec<_> = headers
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let mut connection = Connection::open(address);
            connection.request("GET", path, &headers);
            *answer.lock().expect("no panic") = connection.response("GET");
            gate.open();
        }
    });
    gate.wait().await;
    let answer = answer.lock().expect("no panic").take();
    let answer = answer.expect("a response of the next server");
    Reply::text(answer.text()).with_status(answer.status)
}

/// A call with the current span injected continues the trace in the next server.
pub fn call_continues_the_trace_in_the_next_server<S: Server>() {
    let callee = Kit::<S>::new();
    let address = callee.addr();
    let caller = Kit::<S>::playing(move |_| call(address, "/play"));
    let response = caller.get_with("/play", &[("traceparent", TRACEPARENT)]);
    assert_eq!(response.status, 200);
    let (called, calling) = (callee.span(), caller.span());
    assert_eq!(trace(&calling), TRACE);
    assert_eq!(trace(&called), TRACE);
    assert_eq!(parent(&calling).as_deref(), Some(PARENT));
    assert_eq!(called.parent_id(), Some(calling.context().span_id()));
    assert_eq!(
        injected(&response, "traceparent"),
        Some(traceparent(&called))
    );
    // Spans of two services of one machine lie within each other.
    assert!(calling.start() <= called.start());
}
