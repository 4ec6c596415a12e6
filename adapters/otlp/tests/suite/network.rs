//! Collectors that are down, or that misbehave.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use opentracing_http::server::Instrumentation;
use opentracing_http::{Flushed, HttpTracing, Tracer};
use opentracing_testkit::tracer::Sink;

use crate::receiver::{Receiver, Reply, WIRES, Wire, free_address};
use crate::{SOON, assert_accounts, builder, builder_to, quick, report, start, told};

#[test]
fn absent_collector_costs_spans_which_are_counted_and_those_after_it_came_arrive() {
    for wire in WIRES {
        let address = free_address();
        let (tell, diagnostics) = channel();
        let tracer = quick(builder_to(*wire, format!("http://{address}")));
        let tracer = tracer.build().unwrap();
        let policy = HttpTracing::builder(tracer.clone());
        let policy = policy.on_diagnostic(move |told| {
            tell.send(told.to_string()).unwrap_or_default();
        });
        let tracing = policy.build().unwrap();
        report(&tracing, 3);
        assert_eq!(tracing.flush(SOON), Flushed::COMPLETE.with_lost(3));
        assert_eq!((tracing.dropped(), tracer.drops().failed), (3, 3));
        let told = diagnostics.try_recv().unwrap();
        let expected =
            format!("spans lost so far: 3 (failed: 3); the last error: http://{address}/");
        assert!(told.starts_with(&expected), "{told}");

        let receiver = Receiver::start_at(*wire, address, |_| Reply::Taken);
        for number in 0..3 {
            tracing.span(format!("{number}")).start().finish();
            assert!(tracing.flush(SOON).is_complete());
            assert_eq!(receiver.span().name, number.to_string());
        }
        assert_eq!((tracer.delivered(), tracing.dropped()), (3, 3));
    }
}

#[test]
fn collector_that_comes_while_a_batch_is_retried_gets_it() {
    for wire in WIRES {
        let address = free_address();
        let builder = builder_to(*wire, format!("http://{address}"));
        let (builder, errors) = told(quick(builder).retries(100_000));
        let (tracing, _) = start(builder);
        tracing.span("patient").start().finish();
        errors.recv_timeout(SOON).unwrap();
        let receiver = Receiver::start_at(*wire, address, |_| Reply::Taken);
        assert_eq!(receiver.span().name, "patient");
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(tracing.dropped(), 0);
    }
}

#[test]
fn collector_that_is_restarted_in_the_middle_loses_nothing() {
    for wire in WIRES {
        let mut receiver = Receiver::start(*wire);
        let address = receiver.address();
        let (tracing, tracer) = start(quick(builder(&receiver)).retries(100_000));
        for round in 0..5 {
            // An idle connection is closed by the end of a collector, and one with a request in it as well.
            report(&tracing, 10);
            if round % 2 == 0 {
                assert!(tracing.flush(SOON).is_complete());
            }
            drop(receiver);
            report(&tracing, 10);
            receiver = Receiver::start_at(*wire, address, |_| Reply::Taken);
            assert!(tracing.flush(SOON).is_complete());
        }
        assert_eq!((tracer.delivered(), tracing.dropped()), (100, 0));
    }
}

#[test]
fn idle_connection_that_the_collector_closed_costs_no_retry() {
    for wire in WIRES {
        let mut receiver = Receiver::start(*wire);
        let address = receiver.address();
        let (builder, errors) = told(quick(builder(&receiver)).retries(0));
        let (tracing, tracer) = start(builder);
        for _ in 0..5 {
            tracing.span("x").start().finish();
            assert!(tracing.flush(SOON).is_complete(), "{:?}", errors.try_recv());
            drop(receiver);
            receiver = Receiver::start_at(*wire, address, |_| Reply::Taken);
        }
        assert_eq!((tracer.delivered(), errors.try_recv().ok()), (5, None));
    }
}

#[test]
fn hang_up_without_a_response_is_retried() {
    for wire in WIRES {
        let mut calls = 0;
        let receiver = Receiver::responding(*wire, move |_| {
            calls += 1;
            if calls == 2 {
                Reply::HangUp
            } else {
                Reply::Taken
            }
        });
        let (tracing, tracer) = start(quick(builder(&receiver)));
        for name in ["before", "cut off"] {
            tracing.span(name).start().finish();
            assert!(tracing.flush(SOON).is_complete());
        }
        let names = receiver.names(3);
        assert_eq!(names, ["before", "cut off", "cut off"]);
        assert_eq!((tracer.delivered(), tracing.dropped()), (2, 0));
    }
}

#[test]
fn slow_collector_gets_everything_and_keeps_nobody_waiting() {
    const EACH: Duration = Duration::from_millis(20);
    for wire in WIRES {
        let (_never, wait) = channel::<()>();
        let receiver = Receiver::responding(*wire, move |_| {
            wait.recv_timeout(EACH).unwrap_err();
            Reply::Taken
        });
        let tracer = quick(builder(&receiver)).batch_spans(10);
        let (tracing, tracer) = start(tracer);
        let began = Instant::now();
        report(&tracing, 200);
        let took = began.elapsed();
        assert!(took < 20 * EACH / 2, "reporting took {took:?}");
        assert!(tracing.flush(SOON).is_complete());
        assert!(began.elapsed() >= 20 * EACH);
        assert_eq!((tracer.delivered(), tracing.dropped()), (200, 0));
        assert_eq!(receiver.names(200).len(), 200);
    }
}

/// Responds to requests one after the other; returns the longest time of one.
fn serve(tracing: &HttpTracing, requests: usize) -> Duration {
    let instrumentation = Instrumentation::new(tracing, "suite");
    let request = Request::get("/users/7").body(()).unwrap();
    let served = (0..requests).map(|_| {
        let began = Instant::now();
        let span = instrumentation.begin(&request);
        let mut ok = StatusCode::OK;
        assert!(span.respond(&mut ok).is_none());
        began.elapsed()
    });
    served.max().unwrap_or_default()
}

#[test]
fn stalled_collector_has_no_effect_on_requests_and_holds_one_batch_and_one_queue() {
    const LIMIT: Duration = Duration::from_millis(100);
    for wire in WIRES {
        let receiver = Receiver::responding(*wire, |_| Reply::Silence);
        let (builder, errors) = told(quick(builder(&receiver)).retries(1));
        let builder = builder.queue_spans(100).batch_spans(50).timeout(LIMIT);
        let (tracing, tracer) = start(builder);
        serve(&tracing, 50);
        drop(receiver.call());
        let longest = serve(&tracing, 20_000);
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        let full = tracer.drops().queue_full;
        assert!(full >= 20_000 - 100 - 50 * 20, "{full}");
        let error = errors.recv_timeout(SOON).unwrap();
        assert!(error.starts_with(&receiver.url()), "{error}");
        // Everything is tried twice, then given up.
        assert!(tracing.flush(SOON).lost() > 0);
        assert!(tracer.drops().failed >= 100, "{:?}", tracer.drops());
        assert_accounts(&tracer, 20_050);
    }
}

#[test]
fn collector_that_stalled_gets_what_is_reported_once_it_goes_on() {
    for wire in WIRES {
        let sink = Sink::new();
        let receiver = Receiver::responding(*wire, {
            let sink = sink.clone();
            move |_| {
                sink.pass();
                Reply::Taken
            }
        });
        let builder = quick(builder(&receiver)).queue_spans(100);
        let (tracing, tracer) = start(builder);
        sink.stall();
        report(&tracing, 1_000);
        assert!(tracing.flush(Duration::from_millis(20)).timed_out());
        let dropped = tracing.dropped();
        assert!((500..=900).contains(&dropped), "{dropped}");
        sink.release();
        assert!(tracing.flush(SOON).is_complete());
        tracing.span("after").start().finish();
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(
            (tracing.dropped(), tracer.delivered()),
            (dropped, 1_001 - dropped)
        );
    }
}

/// A listener whose connections are not read.
#[test]
fn collector_that_reads_nothing_holds_one_connection_at_a_time() {
    for wire in WIRES {
        let listener = TcpListener::bind(crate::receiver::own_address()).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let builder = quick(builder_to(*wire, url)).retries(4);
        let builder = builder.timeout(Duration::from_millis(100));
        let (tracing, tracer) = start(builder.batch_interval(Duration::from_secs(3600)));
        // One batch, and more than a window of HTTP/2 holds.
        for number in 0..10 {
            let span = tracing.span(format!("{number}")).start();
            (0..20).for_each(|tag| {
                span.set_tag(format!("{tag}"), "x".repeat(4_000));
            });
            span.finish();
        }
        let flushed = thread::spawn(move || tracing.flush(SOON));
        let mut connections: Vec<_> = (0..5).map(|_| listener.accept().unwrap().0).collect();
        assert_eq!(flushed.join().unwrap(), Flushed::COMPLETE.with_lost(10));
        assert_accounts(&tracer, 10);
        // All but the last are closed by now; their rest can be read to its end.
        connections.pop();
        for mut connection in connections {
            connection.set_read_timeout(Some(SOON)).unwrap();
            let mut buffer = vec![0; 1 << 20];
            let is_over = loop {
                match connection.read(&mut buffer) {
                    Ok(0) => break true,
                    Ok(_) => {}
                    Err(error) => break error.kind() == std::io::ErrorKind::ConnectionReset,
                }
            };
            assert!(is_over, "the connection is still open");
        }
    }
}

#[test]
fn name_that_nobody_knows_costs_spans_and_nothing_else() {
    for wire in WIRES {
        // RFC 6761: never to be found.
        let builder = builder_to(*wire, "http://collector.invalid:4318");
        let (tracing, tracer) = start(builder);
        let began = Instant::now();
        report(&tracing, 5_000);
        assert!(tracing.flush(Duration::from_millis(10)).timed_out());
        assert!(tracing.dropped() >= 5_000 - 2_048 - 512);
        assert!(!tracer.shutdown(Duration::from_millis(50)).is_complete());
        assert_accounts(&tracer, 5_000);
        drop((tracing, tracer));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn flush_works_within_runtimes_and_outside() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let report = || {
            let tracer = builder(&receiver).build().unwrap();
            let tracing = HttpTracing::new(tracer.clone());
            tracing.span("x").start().finish();
            assert!(tracing.flush(SOON).is_complete());
            tracing.span("y").start().finish();
            assert!(tracer.shutdown(SOON).is_complete());
            drop((tracing, tracer));
            assert_eq!(receiver.names(2), ["x", "y"]);
        };
        report();
        let one = tokio::runtime::Builder::new_current_thread().build();
        one.unwrap().block_on(async { report() });
        let many = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build();
        many.unwrap().block_on(async { report() });
    }
}

#[test]
fn queue_that_is_full_drops_and_counts_each_span_once() {
    for wire in WIRES {
        let sink = Sink::new();
        sink.stall();
        let receiver = Receiver::responding(*wire, {
            let sink = sink.clone();
            move |_| {
                sink.pass();
                Reply::Taken
            }
        });
        let builder = quick(builder(&receiver)).queue_spans(64).batch_spans(64);
        let (tracing, tracer) = start(builder);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| report(&tracing, 1_000));
            }
        });
        let full = tracer.drops().queue_full;
        assert!(full >= 4_000 - 3 * 64, "{full}");
        assert_eq!(Tracer::dropped(&tracer), full);
        sink.release();
        assert!(tracing.flush(SOON).is_complete());
        assert_accounts(&tracer, 4_000);
        let left = tracer.delivered() as usize;
        assert_eq!(receiver.names(left).len(), left);
    }
}

#[test]
fn address_of_ipv6_is_reached() {
    for wire in WIRES {
        let address = (std::net::Ipv6Addr::LOCALHOST, 0).into();
        let receiver = Receiver::start_at(*wire, address, |_| Reply::Taken);
        let (tracing, _) = start(builder(&receiver));
        tracing.span("x").start().finish();
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(receiver.span().name, "x");
    }
}

/// Sends these bytes on each connection after the first byte has arrived.
fn chatter(words: &'static [u8]) -> String {
    let listener = TcpListener::bind(crate::receiver::own_address()).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for _ in 0..2 {
            let (mut connection, _) = listener.accept().unwrap();
            connection.read_exact(&mut [0; 16]).unwrap();
            connection.write_all(words).unwrap();
            // Until the other side has seen it.
            connection.read_to_end(&mut Vec::new()).unwrap_or_default();
        }
    });
    url
}

#[test]
fn port_of_the_other_protocol_is_told() {
    // What a server of HTTP/2 begins with, and what one of HTTP/1 thinks of its client's beginning.
    const HTTP2: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const HTTP1: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    for wire in WIRES {
        let (words, hint) = match wire {
            Wire::Http => (HTTP2, "does this port accept OTLP over HTTP"),
            #[cfg(feature = "grpc")]
            Wire::Grpc => (HTTP1, "does this port accept OTLP over gRPC"),
        };
        let (builder, errors) = told(quick(builder_to(*wire, chatter(words))).retries(1));
        let (tracing, _) = start(builder);
        tracing.span("x").start().finish();
        assert_eq!(tracing.flush(SOON).lost(), 1);
        let error = errors.recv_timeout(SOON).unwrap();
        assert!(error.contains(hint), "{error}");
    }
}
