//! The services after their migration, as programs that run.

#![cfg(unix)] // A signal ends them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use example_contract::Collector;
use opentracing_testkit::client::Connection;
use xtask_collector::{Agent, SpanStore, TraceId};

/// The time that a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A running service, which is killed when this is dropped.
struct Service {
    process: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Service {
    /// Starts a program, which prints its address.
    fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let mut service = Self::spawn(program, ([127, 0, 0, 1], 0).into(), environment);
        service.address = loop {
            let line = service.lines.recv_timeout(PATIENCE).expect("it listens");
            let Some((_, address)) = line.split_once("listening on ") else {
                continue;
            };
            let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
            let end = address.find(|c| !is_part(c)).unwrap_or(address.len());
            break address[..end].parse().expect("an address");
        };
        service
    }

    /// Starts a program that prints nothing.
    fn start_silent(program: &str, environment: &[(&str, &str)]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let service = Self::spawn(program, free.expect("a free port"), environment);
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(service.address).is_err() {
            assert!(Instant::now() < end, "it does not listen");
            thread::yield_now();
        }
        service
    }

    fn spawn(program: &str, address: SocketAddr, environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(program)
            .env_clear()
            .env("ADDRESS", address.to_string())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut lines = output.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Self {
            process,
            lines,
            address,
        }
    }

    /// Sends a request for an order, which continues a caller's trace.
    fn order(&self) {
        let mut connection = Connection::open(self.address);
        connection.request("GET", "/orders/7", &[("traceparent", TRACEPARENT)]);
        let response = connection.response("GET").expect("a response");
        assert_eq!(response.text(), "order 7: 875 cents");
    }

    /// Interrupts the service, waits for its end, and returns the lines that it has printed since it listens.
    fn stop(mut self) -> Vec<String> {
        let id = self.process.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status();
        assert!(killed.expect("`kill` runs").success());
        let status = self.process.wait().expect("it can be waited for");
        assert!(status.success(), "it ended with {status}");
        self.lines.iter().collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The ids of the two spans of an order, in hexadecimal digits.
struct Ids {
    request: String,
    price: String,
}

/// Runs a service that sends its spans with OTLP. Returns its lines, the attributes of the request's span, and the ids.
fn run(program: &str, levels: &str) -> (Vec<String>, HashMap<String, String>, Ids) {
    let collector = Collector::start().expect("a collector");
    let url = collector.url();
    let environment = [
        ("OTEL_SERVICE_NAME", "orders"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
        ("RUST_LOG", levels),
    ];
    let service = match levels {
        "off" => Service::start_silent(program, &environment),
        _ => Service::start(program, &environment),
    };
    service.order();
    let lines = service.stop();

    let mut spans = collector.spans();
    spans.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    let names: Vec<_> = spans.iter().map(|(_, span)| &*span.name).collect();
    assert_eq!(names, ["GET /orders/{id}", "price"]);
    let [(service, request), (_, price)] = &spans[..] else {
        unreachable!("there are two names");
    };
    assert_eq!(service, "orders");
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    for (_, span) in &spans {
        assert_eq!(hex(&span.trace_id), TRACE_ID);
    }
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(price.parent_span_id, request.span_id);
    // The events are logs of their spans.
    for (span, event) in [(request, "priced"), (price, "looking up the price")] {
        let logged = span.events.iter().any(|log| {
            log.name == event
                || log
                    .attributes
                    .iter()
                    .any(|field| format!("{field:?}").contains(event))
        });
        assert!(logged, "{:?}", span.events);
    }
    let attributes = request.attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().expect("a value");
        (attribute.key.clone(), format!("{:?}", value.value))
    });
    let ids = Ids {
        request: hex(&request.span_id),
        price: hex(&price.span_id),
    };
    (lines, attributes.collect(), ids)
}

/// Returns the only line that contains a text.
fn line<'a>(lines: &'a [String], text: &str) -> &'a str {
    let mut found = lines.iter().filter(|line| line.contains(text));
    let first = found.next().unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(found.next().is_none(), "{lines:#?}");
    first
}

/// Checks text lines.
fn assert_text(lines: &[String], ids: &Ids) {
    for (text, span_id) in [
        ("priced", &ids.request),
        ("looking up the price", &ids.price),
    ] {
        let line = line(lines, text);
        let expected = format!("trace_id={TRACE_ID} span_id={span_id}");
        assert!(line.ends_with(&expected), "{line}");
    }
}

#[test]
fn port_from_axum_tracing_opentelemetry_keeps_spans_attributes_and_ids_in_lines() {
    let (lines, attributes, ids) = run(env!("CARGO_BIN_EXE_orders-axum-tracing-opentelemetry"), "");
    for (text, span_id) in [
        ("priced", &ids.request),
        ("looking up the price", &ids.price),
    ] {
        let line: serde_json::Value = serde_json::from_str(line(&lines, text)).expect("JSON");
        assert_eq!(line["trace_id"], TRACE_ID);
        assert_eq!(line["span_id"], **span_id);
    }
    // Those that the middleware before set, except for two of its own.
    for key in [
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.protocol.version",
        "server.address",
        "server.port",
        "url.path",
        "url.scheme",
    ] {
        assert!(attributes.contains_key(key), "{key}: {attributes:#?}");
    }
    assert!(attributes["http.route"].contains("/orders/{id}"));
}

#[test]
fn levels_of_lines_have_no_effect_on_spans() {
    let program = env!("CARGO_BIN_EXE_orders-axum-tracing-opentelemetry");
    let (lines, _, _) = run(program, "off");
    assert_eq!(lines, [""; 0]);
}

#[test]
fn port_from_tracing_actix_web_sends_spans_and_has_ids_in_lines() {
    let (lines, attributes, ids) = run(env!("CARGO_BIN_EXE_orders-tracing-actix-web"), "");
    assert_text(&lines, &ids);
    assert!(
        attributes.contains_key("http.status_code"),
        "{attributes:#?}"
    );
}

#[test]
fn port_from_trace_layer_sends_spans_and_has_ids_in_lines() {
    let (lines, attributes, ids) = run(env!("CARGO_BIN_EXE_orders-trace-layer"), "");
    assert_text(&lines, &ids);
    assert!(
        attributes.contains_key("http.status_code"),
        "{attributes:#?}"
    );
}

#[test]
fn port_from_flask_opentracing_has_its_tags_and_carries_the_trace_on() {
    let store = Arc::new(SpanStore::default());
    let agent = Agent::start(store.clone()).expect("an agent");
    let (host, port) = ("127.0.0.1", agent.address().port().to_string());
    // The service that it calls.
    let stock = TcpListener::bind((host, 0)).expect("a port");
    let url = format!("http://{}/", stock.local_addr().expect("an address"));
    let called = thread::spawn(move || {
        let (mut stream, _) = stock.accept().expect("a call");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
            head.push(byte[0]);
        }
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(response).expect("it reads");
        String::from_utf8(head).expect("text")
    });
    let environment = [
        ("JAEGER_AGENT_HOST", host),
        ("JAEGER_AGENT_PORT", &*port),
        ("STOCK", &*url),
    ];
    let service = Service::start(env!("CARGO_BIN_EXE_orders-flask-opentracing"), &environment);
    service.order();
    assert_eq!(service.stop(), [""; 0]);

    let trace_id = TraceId(u128::from_str_radix(TRACE_ID, 16).expect("digits"));
    let spans = store.wait_for(trace_id, 2, PATIENCE);
    let spans = spans.expect("two spans");
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .expect(name)
            .clone()
    };
    let (request, price) = (named("GET /orders/{id}"), named("price"));
    assert_eq!(price.parent_id, request.id);
    assert!(price.tag("cents").is_some());
    for tag in [
        "component",
        "http.method",
        "http.url",
        "span.kind",
        "http.status_code",
    ] {
        assert!(request.tag(tag).is_some(), "{tag}");
    }
    for tag in ["url", "remote_addr", "customer"] {
        assert!(request.tag(tag).is_some(), "{tag}");
    }
    assert_eq!(request.service, "orders");
    assert!(request.logs.iter().any(|log| log.field("event").is_some()));
    let head = called.join().expect("a call").to_lowercase();
    let traceparent = format!("traceparent: 00-{TRACE_ID}-{:016x}-01", request.id);
    assert!(head.contains(&traceparent), "{head}");
}
