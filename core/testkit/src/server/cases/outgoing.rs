//! What a call from a handler takes along of what came in, and what it does not.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use http::{HeaderMap, HeaderValue};
use opentracing_http::propagation::Propagation;
use opentracing_http::{Span, Trust};

use crate::app::{Gate, Reply};
use crate::client::Connection;
use crate::server::cases::{PARENT, TRACE, TRACEPARENT, injected, parent, trace, traceparent};
use crate::server::{Kit, Server};

/// How many bytes of a request's head many servers take (node's default).
const HEAD: usize = 16 * 1024;

/// A server that refuses heads of more than [`HEAD`] bytes, and answers with how many headers there were.
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

/// The next service's response, after a call with what the current span injects.
async fn call(address: SocketAddr, path: &'static str) -> Reply {
    let mut headers = Vec::new();
    Span::current().inject(&mut |name: &str, value: &str| {
        headers.push((name.to_owned(), value.to_owned()));
    });
    // A blocking call has no place in a handler: it gets a thread.
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
    let answer = answer.expect("the next server answers");
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

/// A proxy copies what came in, then injects: of a caller that is not trusted nothing goes on, in whichever format that is
/// read, even where it is not written.
pub fn proxy_passes_nothing_on_of_a_caller_that_is_not_trusted<S: Server>() {
    let b3 = "cccccccccccccccccccccccccccccccc-dddddddddddddddd-d";
    let copied = [
        ("b3", b3),
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", PARENT),
        ("x-b3-parentspanid", PARENT),
        ("x-b3-sampled", "1"),
        ("x-b3-flags", "1"),
        ("uber-trace-id", "aaaa:bb:0:3"),
        ("uberctx-role", "admin"),
        ("jaeger-baggage", "role=admin"),
        ("jaeger-debug-id", "find-me"),
        ("baggage", "role=admin"),
        ("tracestate", "vendor=1"),
        ("accept", "text/plain"),
    ];
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.trust(Trust::nobody()))
        .play(move |_| {
            let mut headers = HeaderMap::new();
            for (name, value) in copied {
                headers.insert(name, HeaderValue::from_static(value));
            }
            Span::current().inject(&mut headers);
            let mut lines: Vec<_> = (headers.iter())
                .map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("text")))
                .collect();
            lines.sort();
            async move { Reply::text(lines.concat()) }
        })
        .start();
    let text = kit.get_with("/play", &copied).text();
    let span = kit.span();
    let (trace, id) = (span.context().trace_id(), span.context().span_id());
    assert_eq!(
        text,
        format!(
            "accept: text/plain\ntraceparent: 00-{trace}-{id}-03\nuber-trace-id: {trace}:{id}:0:1\n"
        )
    );
    // Whoever reads all formats finds our span, and nothing of the caller's.
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let found = Propagation::default().extract(&lines.collect::<Vec<_>>());
    assert_eq!(found.context().map(|found| found.span_id()), Some(id));
    assert!(found.baggage().is_empty() && found.debug_id().is_none());
}
