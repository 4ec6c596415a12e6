//! Checks the log lines of an example.

use std::net::SocketAddr;

use opentracing_testkit::client::Connection;

use crate::app::App;
use crate::printed::Printed;

/// Starts a program with its usual log levels, sends it requests, and checks that each line that it logs within a request has
/// the ids of the span that it reports, and that other lines have none.
///
/// # Panics
///
/// Panics if a line is missing, or has other ids.
pub fn log_lines_carry_the_ids(program: &str) {
    let app = App::start(program, &[("RUST_LOG", "")]);
    let addr = app.addr();
    let to = format!("/call?to=http://{addr}/health");
    for path in ["/log", "/stream", &to, "/health"] {
        get(addr, path);
    }
    let (spans, log) = app.stop_with_log();
    assert_line(&spans, &log, "GET /log", "priced the cart");
    // Written by the code of the body.
    assert_line(&spans, &log, "GET /stream", "streaming the second line");
    assert_line(&spans, &log, "GET /call", "calling http://");
    assert_eq!(log.len(), 3, "{log:#?}");
}

fn get(addr: SocketAddr, path: &str) {
    let mut connection = Connection::open(addr);
    connection.request("GET", path, &[]);
    let response = connection.response("GET").expect("a response");
    assert_eq!(response.status, 200, "{path}");
}

/// Checks that one line has this text and the ids of the span with this name.
fn assert_line(spans: &[Printed], log: &[String], name: &str, text: &str) {
    let mut named = spans.iter().filter(|printed| printed.span.name == name);
    let (Some(Printed { span, .. }), None) = (named.next(), named.next()) else {
        panic!("one span is named {name:?}: {spans:#?}");
    };
    let mut lines = log.iter().filter(|line| line.contains(text));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        panic!("one line has {text:?}: {log:#?}");
    };
    let (trace_id, span_id) = (span.trace_id, span.span_id);
    let as_text = format!(" trace_id={trace_id} span_id={span_id}");
    let as_json = format!(r#","trace_id":"{trace_id}","span_id":"{span_id}"}}"#);
    assert!(
        line.ends_with(&as_text) || line.ends_with(&as_json),
        "{line:?} lacks the ids of {name:?}: {as_text}"
    );
}
