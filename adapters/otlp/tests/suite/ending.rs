//! The end of a process. The test's own program is started again as one that traces.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use opentracing_http::HttpTracing;

use crate::receiver::{Receiver, Reply, WIRES, Wire, free_address};
use crate::{SOON, builder_to};

const VARIABLE: &str = "OTLP_SUITE_COLLECTOR";

/// How many spans a process reports.
const SPANS: usize = 300;

/// Not a test of its own: what the others start.
#[test]
fn process_that_ends() {
    let Ok(url) = std::env::var(VARIABLE) else {
        return;
    };
    let (wire, url) = url.split_once(' ').unwrap();
    let wire = WIRES.iter().find(|known| format!("{known:?}") == wire);
    let tracer = builder_to(*wire.unwrap(), url)
        .batch_interval(Duration::from_secs(3600))
        .build();
    let tracing = HttpTracing::new(tracer.unwrap());
    for number in 0..SPANS {
        tracing.span(format!("{number}")).start().finish();
    }
    // The policy goes out of scope, and with it the last handle to the tracer.
}

fn start(wire: Wire, url: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program)
        .args(["--exact", "ending::process_that_ends"])
        .env(VARIABLE, format!("{wire:?} {url}"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Does this over every protocol at once.
fn over_each(test: impl Fn(Wire) + Sync) {
    std::thread::scope(|scope| {
        for wire in WIRES {
            scope.spawn(|| test(*wire));
        }
    });
}

/// Waits for the process to end.
fn took(mut child: Child, began: Instant) -> Duration {
    assert!(child.wait().unwrap().success());
    began.elapsed()
}

#[test]
fn end_of_a_process_delivers_what_waits() {
    over_each(|wire| {
        let receiver = Receiver::start(wire);
        let began = Instant::now();
        let child = start(wire, &receiver.url());
        assert_eq!(receiver.names(SPANS).len(), SPANS);
        let took = took(child, began);
        assert!(took < Duration::from_secs(4), "{took:?}");
    });
}

#[test]
fn end_of_a_process_does_not_wait_for_ever_for_a_stalled_collector() {
    over_each(|wire| {
        let receiver = Receiver::responding(wire, |_| Reply::Silence);
        let began = Instant::now();
        let child = start(wire, &receiver.url());
        drop(receiver.call());
        let took = took(child, began);
        // Five seconds by default.
        assert!((4..SOON.as_secs()).contains(&took.as_secs()), "{took:?}");
    });
}

#[test]
fn end_of_a_process_does_not_wait_for_ever_for_an_absent_collector() {
    over_each(|wire| {
        let began = Instant::now();
        let child = start(wire, &format!("http://{}", free_address()));
        let took = took(child, began);
        assert!(took < SOON, "{took:?}");
    });
}
