//! Both apps as real processes: one request makes one trace.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_request_through_both_apps_is_one_trace() {
    let server = App::start(env!("CARGO_BIN_EXE_server"), &[]);
    let client = App::start(
        env!("CARGO_BIN_EXE_client"),
        &[("SERVER_URL", &format!("http://{}", server.address))],
    );

    let response = client.get("/orders/1234");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(
        response.ends_with("\r\n\r\nitem 1234 costs 34"),
        "{response}"
    );

    let (client, server) = (client.stop(), server.stop());
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
        assert_eq!(span["trace"], order["trace"]);
    }
    assert_eq!(order["parent"], "-");
    assert_eq!(call["parent"], order["id"]);
    assert_eq!(price["parent"], call["id"]);
    assert_eq!(look_up["parent"], price["id"]);

    assert_eq!(
        (&*order["service"], &*price["service"]),
        ("example-client", "example-server")
    );
    assert_eq!(
        (&*call["span.kind"], &*price["span.kind"]),
        ("client", "server")
    );
    assert_eq!(
        (&*call["http.status_code"], &*price["http.status_code"]),
        ("200", "200")
    );
    assert_eq!((&*price["method"], &*price["log.0.price"]), ("GET", "34"));
    assert!(price["url"].ends_with("/prices/1234"), "{price:?}");
}

#[test]
fn a_call_to_nobody_fails_and_says_so_in_the_trace() {
    // Nobody listens on port 1, and only the superuser could.
    let client = App::start(
        env!("CARGO_BIN_EXE_client"),
        &[("SERVER_URL", "http://127.0.0.1:1")],
    );
    let response = client.get("/orders/1");
    assert!(response.starts_with("HTTP/1.1 502 "), "{response}");

    let spans = client.stop();
    let (order, call) = (
        named(&spans, "GET /orders/{id}"),
        named(&spans, "get price"),
    );
    assert_eq!((&*order["error"], &*call["error"]), ("true", "true"));
    assert_eq!(call["parent"], order["id"]);
}

#[test]
fn an_unknown_tracer_is_refused() {
    let output = command(env!("CARGO_BIN_EXE_server"))
        .env("TRACER", "yeager")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("yeager"));
}

/// A span as the custom tracer prints it.
type Span = HashMap<String, String>;

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = spans.iter().find(|span| span["name"] == name);
    found.unwrap_or_else(|| panic!("no span is called {name}: {spans:#?}"))
}

/// A running app, which ends at the latest when this is dropped.
struct App {
    process: Child,
    lines: Receiver<String>,
    address: String,
}

impl App {
    fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let mut process = command(program)
            .envs(environment.iter().copied())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut app = Self {
            process,
            lines,
            address: String::new(),
        };
        let ready = app
            .lines
            .recv_timeout(PATIENCE)
            .expect("the app says where it listens");
        app.address = ready
            .strip_prefix("listening on http://")
            .expect(&ready)
            .to_owned();
        app
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.address
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    /// Ends the app's input, waits for its end and answers its spans.
    fn stop(mut self) -> Vec<Span> {
        drop(self.process.stdin.take());
        let mut spans = Vec::new();
        while let Some(line) = self.next_line() {
            let fields = line.strip_prefix("span\t").expect(&line).split('\t');
            let fields = fields.map(|field| field.split_once('=').expect(field));
            spans.push(
                fields
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
            );
        }
        assert!(self.process.wait().unwrap().success());
        spans
    }

    /// `None` once the app has ended.
    fn next_line(&self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(Disconnected) => None,
            Err(Timeout) => panic!("the app has neither printed anything nor ended"),
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs([
            ("PORT", "0"),
            ("TRACER", "custom"),
            ("EXIT_ON_STDIN_EOF", "1"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}
