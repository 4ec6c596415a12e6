//! An example as a separate process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use opentracing_testkit::service::PATIENCE;
use opentracing_testkit::tracer::ReceivedSpan;

use crate::printed::{Printed, printed};

/// A running app, which prints its spans. Its process ends when this is dropped.
#[derive(Debug)]
pub struct App {
    process: Child,
    lines: Receiver<String>,
    /// Reads the standard error output, until the process ends.
    log: Option<JoinHandle<Vec<String>>>,
    addr: SocketAddr,
}

impl App {
    /// Starts a program on a free port, with these variables in its environment besides those of [`command`].
    ///
    /// # Panics
    ///
    /// Panics if it does not print its address.
    #[must_use]
    pub fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = command(program);
        command.envs(environment.iter().copied());
        command.stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let output = process.stdout.take().expect("its output is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            // After the app is dropped the lines are not read.
            lines.try_for_each(|line| sender.send(line))
        });
        let log = process.stderr.take().expect("its log is piped");
        let log = thread::spawn(move || {
            let lines = BufReader::new(log).lines().map_while(Result::ok);
            // Shown as well, for a test that fails.
            lines.inspect(|line| eprintln!("{line}")).collect()
        });
        let mut app = Self {
            process,
            lines,
            log: Some(log),
            addr: ([127, 0, 0, 1], 0).into(),
        };
        let ready = app.line(PATIENCE).expect("it does not end at once");
        let addr = ready.strip_prefix("listening on http://");
        let addr = addr.and_then(|addr| addr.parse().ok());
        app.addr = addr.unwrap_or_else(|| panic!("it says {ready:?} before it listens"));
        app
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes its input, waits for its end, and returns all spans that it has printed.
    ///
    /// # Panics
    ///
    /// Panics if it prints anything else, does not end in time, or ends with another status than 0.
    #[must_use]
    pub fn stop(self) -> Vec<Printed> {
        self.stop_with_log().0
    }

    /// Stops it as [`stop`](Self::stop) does; returns the spans, and the lines of its log.
    ///
    /// # Panics
    ///
    /// Panics as [`stop`](Self::stop) does.
    #[must_use]
    pub fn stop_with_log(mut self) -> (Vec<Printed>, Vec<String>) {
        drop(self.process.stdin.take());
        let end = Instant::now() + PATIENCE;
        let mut spans = Vec::new();
        while let Some(line) = self.line(end.saturating_duration_since(Instant::now())) {
            let span = printed(&line).unwrap_or_else(|| panic!("it prints {line:?}"));
            spans.push(span.unwrap_or_else(|problem| panic!("{problem}")));
        }
        let status = self.process.wait().expect("the process can be waited for");
        assert!(status.success(), "it ended with {status}");
        let log = self.log.take().expect("it is read once");
        (spans, log.join().expect("it is text"))
    }

    /// Returns the spans without the service's name.
    #[must_use]
    pub fn spans(self) -> Vec<ReceivedSpan> {
        let printed = self.stop().into_iter();
        printed.map(|printed| printed.span).collect()
    }

    /// Returns the next line of its output; `None` after its end.
    fn line(&self, patience: Duration) -> Option<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("it has neither printed anything nor ended in {PATIENCE:?}")
            }
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Both fail only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the command of an app: it listens on a free port, prints its spans, and stops when its input ends, also if
/// the test is killed.
#[must_use]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs([
            ("PORT", "0"),
            ("OTEL_TRACES_EXPORTER", "console"),
            ("EXIT_ON_STDIN_EOF", "1"),
            ("RUST_LOG", "opentracing_http=warn,example_shared=warn"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}
