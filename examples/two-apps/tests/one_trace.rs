//! Both apps as separate processes: one request is one trace.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::process::{Child, Stdio};

use example_contract::{App, Printed, command};
use opentracing_http::Tag;
use opentracing_testkit::client::{Connection, Response};

#[test]
fn request_through_both_apps_is_one_trace() {
    // Not quieter than usual.
    let levels = ("RUST_LOG", "");
    let server = App::start(env!("CARGO_BIN_EXE_server"), &[levels]);
    let client = App::start(
        env!("CARGO_BIN_EXE_client"),
        &[levels, ("SERVER_URL", &format!("http://{}", server.addr()))],
    );

    let response = get(&client, "/orders/1234");
    assert_eq!(
        (response.status, &*response.text()),
        (200, "item 1234 costs 34")
    );

    let ((client, client_log), (server, server_log)) =
        (client.stop_with_log(), server.stop_with_log());
    let order = named(&client, "GET /orders/{id}");
    let call = named(&client, "get price");
    let price = named(&server, "GET /prices/{id}");
    let look_up = named(&server, "look up");

    assert_eq!(
        (client.len(), server.len()),
        (2, 2),
        "{client:#?}{server:#?}"
    );
    for span in [call, price, look_up] {
        assert_eq!(span.span.trace_id, order.span.trace_id);
    }
    for (log, text, Printed { span, .. }) in [
        (client_log, "ordered id=1234", order),
        (server_log, "priced id=1234 price=34", price),
    ] {
        let (trace_id, span_id) = (span.trace_id, span.span_id);
        let line = format!(": {text} trace_id={trace_id} span_id={span_id}");
        assert!(
            matches!(&log[..], [only] if only.ends_with(&line)),
            "{log:?}"
        );
    }
    assert_eq!(order.span.parent_id, None);
    for (below, above) in [(call, order), (price, call), (look_up, price)] {
        assert_eq!(below.span.parent_id, Some(above.span.span_id));
    }

    assert_eq!(
        (&*order.service, &*price.service),
        ("example-client", "example-server")
    );
    assert_eq!(
        [tag(call, "span.kind"), tag(price, "span.kind")],
        ["client", "server"]
    );
    let status = "http.status_code";
    assert_eq!([tag(call, status), tag(price, status)], ["200", "200"]);
    assert_eq!(tag(price, "method"), "GET");
    assert!(tag(price, "url").ends_with("/prices/1234"), "{price:?}");
    let [log] = &price.span.logs[..] else {
        panic!("one log in {price:?}");
    };
    let fields = [Tag::new("event", "priced"), Tag::new("price", "34")];
    assert_eq!(log.fields, fields);
}

#[test]
fn call_without_a_server_is_an_error_in_the_trace() {
    // No process listens on port 1, and only the superuser could start one.
    let client = App::start(
        env!("CARGO_BIN_EXE_client"),
        &[("SERVER_URL", "http://127.0.0.1:1")],
    );
    assert_eq!(get(&client, "/orders/1").status, 502);

    let spans = client.stop();
    let (order, call) = (
        named(&spans, "GET /orders/{id}"),
        named(&spans, "get price"),
    );
    assert_eq!([tag(order, "error"), tag(call, "error")], ["true", "true"]);
    assert_eq!(call.span.parent_id, Some(order.span.span_id));
}

#[test]
fn unknown_exporter_is_an_error() {
    let output = command(env!("CARGO_BIN_EXE_server"))
        .env("OTEL_TRACES_EXPORTER", "yeager")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("yeager"));
}

#[test]
fn spans_for_an_agent_that_does_not_exist_are_logged_as_lost() {
    // A port that was free, on an address that only this test uses if the system supports that.
    let host = if cfg!(target_os = "linux") { 77 } else { 1 };
    let agent = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
    let address = agent.local_addr().unwrap();
    drop(agent);
    let mut command = command(env!("CARGO_BIN_EXE_server"));
    command.env("OTEL_TRACES_EXPORTER", "jaeger");
    command.stderr(Stdio::piped());
    command.env("JAEGER_AGENT_HOST", address.ip().to_string());
    command.env("JAEGER_AGENT_PORT", address.port().to_string());
    let mut server = Killed(command.spawn().unwrap());

    let mut ready = String::new();
    let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    let addr = ready.trim_end().strip_prefix("listening on http://");
    let mut connection = Connection::open(addr.unwrap().parse().unwrap());
    connection.request("GET", "/prices/7", &[("connection", "close")]);
    assert_eq!(connection.response("GET").unwrap().status, 200);

    drop(server.0.stdin.take());
    let mut told = String::new();
    let stderr = server.0.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert!(server.0.wait().unwrap().success());
    for expected in [
        "spans lost so far: 2 (failed: 2); the last error: ",
        "spans lost since the start: 2",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "logs are not for the standard output");
}

/// A process that ends when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn process_of_a_dropped_app_has_ended() {
    let server = App::start(env!("CARGO_BIN_EXE_server"), &[]);
    let addr = server.addr();
    assert_eq!(get(&server, "/untraced").status, 200);
    drop(server);
    assert!(TcpStream::connect(addr).is_err(), "it still listens");
}

fn named<'a>(spans: &'a [Printed], name: &str) -> &'a Printed {
    let found = spans.iter().find(|printed| printed.span.name == name);
    found.unwrap_or_else(|| panic!("no span is called {name}: {spans:#?}"))
}

/// Returns a tag as text; empty if there is none.
fn tag(printed: &Printed, key: &str) -> String {
    let value = printed.span.tag(key);
    value.map(ToString::to_string).unwrap_or_default()
}

fn get(app: &App, path: &str) -> Response {
    let mut connection = Connection::open(app.addr());
    connection.request("GET", path, &[("connection", "close")]);
    connection.response("GET").unwrap()
}
