//! Addresses of the agent, and agents that do not listen.

use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use opentracing_http::{Flushed, HttpTracing};
use opentracing_jaeger::JaegerTracer;

use crate::agent::Agent;
use crate::{SOON, tracing};

fn assert_reaches(agent: &Agent, address: &str) {
    let tracing = HttpTracing::new(
        JaegerTracer::builder("suite")
            .agent(address)
            .build()
            .unwrap(),
    );
    tracing.span("hello").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(agent.span().name, "hello");
}

/// A port on which nothing listens, on an address that only this test uses if the system supports that.
fn free_address(host: u8) -> SocketAddr {
    let host = if cfg!(target_os = "linux") { host } else { 1 };
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
    socket.local_addr().unwrap()
}

#[test]
fn an_ipv6_agent() {
    let agent = Agent::start_at("[::1]:0");
    assert_reaches(&agent, &agent.address().to_string());
}

#[test]
fn an_agent_that_is_not_on_127_0_0_1() {
    // Only Linux has all of 127.0.0.0/8 without configuration.
    if cfg!(target_os = "linux") {
        let agent = Agent::start_at("127.0.0.2:0");
        assert_reaches(&agent, &agent.address().to_string());
    }
}

#[test]
fn an_agent_known_by_name_whichever_of_its_addresses_it_listens_on() {
    let agent = Agent::start();
    assert_reaches(&agent, &format!("localhost:{}", agent.address().port()));
    // `localhost` has to be both for the second address to be there to try.
    let mut addresses = ("localhost", 0).to_socket_addrs().unwrap();
    if addresses.any(|address| address.is_ipv6()) {
        let agent = Agent::start_at("[::1]:0");
        assert_reaches(&agent, &format!("localhost:{}", agent.address().port()));
    }
}

#[test]
fn spans_for_an_absent_agent_are_counted_and_those_after_it_came_arrive() {
    let address = free_address(11);
    let tracer = JaegerTracer::builder("suite")
        .agent(address)
        .build()
        .unwrap();
    let (tell, told) = mpsc::channel();
    let policy = HttpTracing::builder(tracer.clone()).on_diagnostic(move |diagnostic| {
        tell.send(diagnostic.to_string()).unwrap_or_default();
    });
    let tracing = policy.build().unwrap();
    for _ in 0..3 {
        tracing.span("lost").start().finish();
    }
    assert_eq!(tracing.flush(SOON), Flushed::COMPLETE.with_lost(3));
    assert_eq!((tracing.dropped(), tracer.drops().failed), (3, 3));
    let told = told.try_recv().unwrap();
    let expected = "spans lost so far: 3 (failed: 3); the last error: ";
    assert!(told.starts_with(expected), "{told}");

    let agent = Agent::start_at(address);
    for n in 0..3 {
        tracing.span(format!("{n}")).start().finish();
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(agent.span().name, n.to_string());
    }
    assert_eq!((tracing.dropped(), tracer.delivered()), (3, 3));
}

#[test]
fn an_agent_that_comes_while_a_batch_is_retried_gets_it() {
    let address = free_address(12);
    let (failed, failures) = mpsc::channel();
    let builder = JaegerTracer::builder("suite")
        .agent(address)
        .batch_interval(Duration::from_millis(1));
    let tracer = builder
        .on_error(move |error| failed.send(error.to_string()).unwrap_or_default())
        .build();
    let tracing = HttpTracing::new(tracer.unwrap());
    tracing.span("patient").start().finish();
    failures.recv_timeout(SOON).unwrap();
    let agent = Agent::start_at(address);
    assert_eq!(agent.span().name, "patient");
    assert_eq!(tracing.dropped(), 0);
}

#[test]
fn an_agent_that_is_restarted_gets_what_is_reported_after() {
    let agent = Agent::start_at(free_address(13));
    let (address, tracing) = (agent.address(), tracing(&agent));
    tracing.span("before").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(agent.span().name, "before");
    drop(agent);
    tracing.span("lost").start().finish();
    assert_eq!(tracing.flush(SOON).lost(), 1);
    let agent = Agent::start_at(address);
    tracing.span("after").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(agent.span().name, "after");
}

#[test]
fn a_name_that_nobody_knows_costs_spans_and_nothing_else() {
    // RFC 6761: never to be found.
    let builder = JaegerTracer::builder("suite").agent("agent.invalid");
    let tracer = builder.build().unwrap();
    let tracing = HttpTracing::new(tracer.clone());
    let start = Instant::now();
    for _ in 0..5_000 {
        tracing.span("lost").start().finish();
    }
    assert!(tracing.flush(Duration::from_millis(10)).timed_out());
    assert!(tracing.dropped() >= 5_000 - 2_048 - 512);
    assert!(!tracer.shutdown(Duration::from_millis(50)).is_complete());
    drop((tracing, tracer));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_stalled_way_to_the_agent_blocks_nobody_and_holds_no_more_than_the_queue() {
    let agent = Agent::start();
    let builder = JaegerTracer::builder("suite")
        .agent(agent.address())
        .queue_spans(100);
    // After a first burst of 65,000 bytes the next packet is due in hours.
    let tracer = builder.bytes_per_second(1).build().unwrap();
    let tracing = HttpTracing::new(tracer.clone());
    tracing.span("first").start().finish();
    assert!(tracing.flush(SOON).is_complete());

    let start = Instant::now();
    for _ in 0..20_000 {
        tracing.span("next").start().finish();
    }
    assert!(tracing.flush(Duration::from_millis(50)).timed_out());
    // The burst is gone, one batch is on its way, one queue full waits.
    let dropped = tracer.drops().queue_full;
    assert!(dropped >= 15_000, "{dropped}");
    assert!(!tracer.shutdown(Duration::from_millis(50)).is_complete());
    drop((tracing, tracer));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn dropping_does_not_wait_again_after_a_flush_in_vain() {
    let agent = Agent::start();
    let builder = JaegerTracer::builder("suite").agent(agent.address());
    // What comes after the first burst of two packets is due in hours.
    let tracer = builder.bytes_per_second(1).build().unwrap();
    let tracing = HttpTracing::new(tracer.clone());
    for name in ["first", "second", "stalled"] {
        let span = tracing.span(name).start();
        for number in 0..15 {
            span.set_tag(format!("{number}"), "x".repeat(4_000));
        }
        span.finish();
    }
    let start = Instant::now();
    assert!(tracing.flush(Duration::from_millis(50)).timed_out());
    drop((tracing, tracer));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}
