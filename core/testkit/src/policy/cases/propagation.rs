//! Ids, formats and baggage.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use opentracing_http::propagation::{B3, Propagation};
use opentracing_http::{HttpTracing, InMemoryTracer};

use crate::server::cases::{PARENT, TRACE, TRACEPARENT, call, injected, parent};
use crate::server::{Kit, Server};

/// How many bytes of a request's head many servers take (node's default).
const HEAD: usize = 16 * 1024;

/// A server that refuses heads of more than [`HEAD`] bytes, and returns how many headers there were.
struct Narrow {
    addr: SocketAddr,
    thread: thread::JoinHandle<()>,
}

impl Narrow {
    /// Serves this many connections, a request on each.
    fn serve(requests: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let thread = thread::spawn(move || {
            for stream in listener.incoming().take(requests) {
                let mut stream = BufReader::new(stream.expect("a connection"));
                let (mut bytes, mut headers, mut line) = (0, 0, String::new());
                // The request's line is none of the headers.
                while stream.read_line(&mut line).expect("a head") > 2 {
                    bytes += line.len();
                    headers += 1;
                    line.clear();
                }
                let headers = (headers - 1).to_string();
                let status = match bytes {
                    ..=HEAD => "200 OK",
                    _ => "431 Request Header Fields Too Large",
                };
                let length = headers.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{headers}"
                );
                let stream = stream.get_mut();
                stream.write_all(answer.as_bytes()).expect("a client");
            }
        });
        Self { addr, thread }
    }
}

/// Trace ids and span ids of our own are random in all their parts, and never zero.
pub fn ids_are_random_in_all_their_parts<S: Server>() {
    const REQUESTS: usize = 16;

    let kit = Kit::<S>::new();
    for _ in 0..REQUESTS {
        kit.get_ok("/play");
    }
    let spans = kit.spans(REQUESTS);
    let parts = spans.iter().flat_map(|span| {
        let (trace, id) = (
            span.context().trace_id().get(),
            span.context().span_id().get(),
        );
        [(trace >> 64) as u64, trace as u64, id]
    });
    let parts: Vec<u64> = parts
        .flat_map(|part| [part >> 32, part & 0xffff_ffff])
        .collect();
    // Of so many numbers of 32 bits hardly two are the same, let alone three.
    let most = parts
        .iter()
        .map(|part| parts.iter().filter(|other| *other == part).count());
    assert!(most.max() <= Some(2), "{parts:x?}");
    assert!(
        parts.iter().filter(|part| **part == 0).count() < 2,
        "{parts:x?}"
    );
}

/// Only the chosen formats are read and written.
pub fn reads_and_writes_the_formats_that_are_chosen<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.propagation(Propagation::none().read(B3::single()).write(B3::multi()))
    });
    let b3 = format!("{TRACE}-{PARENT}-1");
    let response = kit.get_with(
        "/play",
        &[
            (
                "traceparent",
                "00-cccccccccccccccccccccccccccccccc-dddddddddddddddd-01",
            ),
            ("b3", &b3),
        ],
    );
    let span = kit.span();
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    assert_eq!(injected(&response, "traceparent"), None);
    let sent = ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"].map(|name| {
        let found = injected(&response, &name.to_ascii_lowercase());
        found.unwrap_or_else(|| panic!("{name} in {}", response.text()))
    });
    assert_eq!(
        sent,
        [
            TRACE.to_owned(),
            span.context().span_id().to_string(),
            "1".to_owned()
        ]
    );
}

/// A `+` is a `+`, in W3C's header and in Jaeger's, for readers that take it for a blank as well.
pub fn plus_in_baggage_goes_on_as_no_blank<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get_with("/play", &[("baggage", "sum=1+1%2B1")]);
    for (name, value) in [("baggage", "sum=1%2B1%2B1"), ("uberctx-sum", "1%2B1%2B1")] {
        assert_eq!(injected(&response, name).as_deref(), Some(value));
    }
    assert_eq!(kit.span().baggage().get("sum"), Some("1+1+1"));
}

/// Contexts and baggage travel in messages of any kind, read and written by the policy itself.
pub fn contexts_travel_in_messages_of_any_kind<S: Server>() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let producer = tracing.span("produce").start();
    producer.set_baggage_item("tenant", "blue");
    let context = producer.context().expect("a context");
    let mut message = std::collections::BTreeMap::new();
    tracing.inject(&context, &mut message);
    let headers: Vec<(&str, &str)> = message
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let kit = Kit::<S>::new();
    let span = kit.span_of_with("/play", &headers);
    assert_eq!(span.parent_id(), Some(context.span_id()));
    assert_eq!(span.baggage().get("tenant"), Some("blue"));
    let read = tracing.extract(&headers.as_slice()).expect("a context");
    assert_eq!(read.span_id(), context.span_id());
    assert!(
        tracing
            .extract(&[("traceparent", "malformed")].as_slice())
            .is_none()
    );
    producer.finish();
    assert_eq!(tracer.take().len(), 1);
}

/// What a caller may send by the specification reaches a server that takes 16 KiB of headers: as many bytes of baggage as
/// that, and not once for each format; as many items, and not each in a header. What was left out is counted.
pub fn baggage_of_a_caller_does_not_make_the_next_server_refuse<S: Server>() {
    // Longest first: 64 items with all 8,192 bytes, one item of them, and 64 of the smallest.
    let member = |value: usize| move |n: usize| format!("k{n:02}={}", "v".repeat(value));
    let list = |value| (0..64).map(member(value)).collect::<Vec<_>>().join(",");
    let baggage = [list(123), format!("k={}", "v".repeat(8190)), list(1)];
    assert_eq!(baggage.each_ref().map(String::len), [8191, 8192, 383]);

    let next = Narrow::serve(baggage.len());
    let address = next.addr;
    let kit = Kit::<S>::playing(move |_| call(address, "/"));
    for baggage in baggage {
        let before: u64 = kit.tracing().omissions().map(|(_, count)| count).sum();
        let headers = [("traceparent", TRACEPARENT), ("baggage", &*baggage)];
        let answer = kit.get_with("/play", &headers);
        assert_eq!(answer.status, 200, "{} bytes of baggage", baggage.len());
        let headers: usize = answer.text().parse().expect("a number");
        // Those of the client are the host and what it needs besides.
        let most = Propagation::MAX_HEADERS + 2;
        assert!(headers <= most, "{headers} headers of two");
        let omitted: u64 = kit.tracing().omissions().map(|(_, count)| count).sum();
        assert!(omitted > before, "what is left out is counted");
    }
    drop(kit.spans(3));
    next.thread.join().expect("no panic");
}
