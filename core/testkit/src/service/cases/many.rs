//! Many requests, and the end of the service.

use std::sync::Barrier;
use std::thread;

use crate::service::Service;
use crate::service::kit::{Kit, closing, last_response, request, sampled};
use crate::service::next::Next;

/// How many requests are open at the same time.
const AT_ONCE: u32 = 32;

/// How many come before the service stops.
const BEFORE_THE_END: u32 = 50;

/// Each request of a connection that is kept has a span and a trace of its own, with a caller or without.
pub fn service_keeps_requests_of_a_connection_apart<S: Service>() {
    let kit = Kit::<S>::start();
    let mut connection = kit.connect();
    let route = S::ROUTES.plain;
    for headers in [sampled(1).1, Vec::new(), sampled(2).1] {
        request(&mut connection, route.path, &headers);
        let status = connection.response("GET").map(|response| response.status);
        assert_eq!(status, Some(200));
    }
    request(&mut connection, route.path, &closing(&Vec::new()));
    assert_eq!(last_response(connection).status, 200);
    let spans = kit.stop();
    let callers = [sampled(1).0, sampled(2).0];
    for caller in callers {
        assert_eq!(spans.request_of(caller).name, route.name);
    }
    let requests = spans.requests(4);
    let roots: Vec<_> = requests
        .iter()
        .filter(|span| span.parent_id.is_none())
        .collect();
    let [one, other] = roots[..] else {
        panic!("two roots in {spans:?}");
    };
    assert_ne!(one.trace_id, other.trace_id);
}

/// Requests that are all open at the same time have a span each, and what is done for each stands below its own: none are
/// mixed up.
pub fn service_serves_requests_at_once<S: Service>() {
    let kit = Kit::<S>::start();
    let callers: Vec<_> = (0..AT_ONCE).map(sampled).collect();
    let calls = S::ROUTES.calls();
    let next = Next::listen();
    let url = |number| next.url(&format!("/{number}"));
    let connections: Vec<_> = (0..)
        .zip(&callers)
        .map(|(number, (_, headers)): (u32, _)| match calls {
            Some(route) => kit.send_call(route, &url(number), headers),
            None => kit.last_request(S::ROUTES.plain.path, headers),
        })
        .collect();
    let mut sent = Vec::new();
    if calls.is_some() {
        // All of them wait before the first has a response.
        let waiting: Vec<_> = callers.iter().map(|_| next.call()).collect();
        for call in waiting {
            sent.push((call.path.clone(), call.context()));
            call.answer();
        }
    }
    for connection in connections {
        assert_eq!(last_response(connection).status, 200);
    }

    let spans = kit.stop();
    spans.requests(callers.len());
    let name = calls.unwrap_or(S::ROUTES.plain).name;
    for (number, (caller, _)) in callers.iter().enumerate() {
        let request = spans.request_of(*caller);
        assert_eq!(request.name, name);
        let path = format!("/{number}");
        let of_this = sent.iter().filter(|(sent, _)| *sent == path);
        let of_this: Vec<_> = of_this.map(|(_, context)| context.span_id()).collect();
        assert_eq!(of_this.len(), usize::from(calls.is_some()), "{path}");
        let mut own = of_this.into_iter().map(|id| spans.is_below(id, request));
        assert!(own.all(|is_own| is_own), "{request:?}");
    }
    for span in spans.all() {
        let mut traces = callers.iter().map(|(caller, _)| caller.trace_id);
        assert!(traces.any(|trace| trace == span.trace_id), "{span:?}");
    }
}

/// A service that is asked to stop delivers all its spans before it ends, also that of a request which it serves
/// meanwhile.
pub fn service_delivers_its_spans_when_it_stops<S: Service>() {
    let kit = Kit::<S>::start();
    for number in 0..BEFORE_THE_END {
        kit.plain(&sampled(number).1);
    }
    let (last, headers) = sampled(BEFORE_THE_END);
    let next = Next::listen();
    let under_way = S::ROUTES.calls();
    let under_way = under_way.map(|route| kit.call(route, &next, &headers));
    let count = BEFORE_THE_END + u32::from(under_way.is_some());
    let stopping = Barrier::new(2);
    let spans = thread::scope(|scope| {
        let is_under_way = under_way.is_some();
        if let Some((connection, call)) = under_way {
            let stopping = &stopping;
            scope.spawn(move || {
                stopping.wait();
                call.answer();
                assert_eq!(last_response(connection).status, 200);
            });
        }
        if is_under_way {
            stopping.wait();
        }
        kit.stop()
    });
    spans.requests(count as usize);
    for number in 0..BEFORE_THE_END {
        assert_eq!(
            spans.request_of(sampled(number).0).name,
            S::ROUTES.plain.name
        );
    }
    if count > BEFORE_THE_END {
        spans.request_of(last);
    }
}
