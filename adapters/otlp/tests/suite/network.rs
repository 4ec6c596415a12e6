//! A collector that is not there, or not as it should be.

use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver as Messages, channel};
use std::thread;
use std::time::{Duration, Instant};

use http::{HeaderMap, Request};
use opentracing_http::{BodySize, Flushed, HttpTracing, Instrumentation, ResponseView, Tracer};
use opentracing_otlp::{OtlpTracer, OtlpTracerBuilder};
use opentracing_testkit::tracer::FarEnd;

use crate::receiver::{Receiver, Reply, WIRES, Wire, free_address};
use crate::{SOON, builder, builder_to};

/// Retries that take no time worth speaking of, and batches that are due at once.
fn quick(builder: OtlpTracerBuilder) -> OtlpTracerBuilder {
    builder
        .batch_interval(Duration::from_millis(1))
        .backoff(Duration::from_millis(1), Duration::from_secs(5))
        .retries(2)
}

/// The errors of a tracer, as they come.
fn told(builder: OtlpTracerBuilder) -> (OtlpTracerBuilder, Messages<String>) {
    let (tell, told) = channel();
    let builder = builder.on_error(move |error| tell.send(error.to_string()).unwrap_or_default());
    (builder, told)
}

fn start(builder: OtlpTracerBuilder) -> (HttpTracing, OtlpTracer) {
    let tracer = builder.build().unwrap();
    (HttpTracing::new(tracer.clone()), tracer)
}

fn report(tracing: &HttpTracing, spans: usize) {
    (0..spans).for_each(|number| tracing.span(format!("{number}")).start().finish());
}

#[track_caller]
fn assert_accounts(tracer: &OtlpTracer, reported: u64) {
    let (delivered, drops) = (tracer.delivered(), tracer.drops());
    assert_eq!(
        delivered + drops.total(),
        reported,
        "{delivered}, {drops:?}"
    );
}

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
fn hang_up_without_an_answer_is_tried_again() {
    for wire in WIRES {
        let mut calls = 0;
        let receiver = Receiver::answering(*wire, move |_| {
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
        let receiver = Receiver::answering(*wire, move |_| {
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

/// Answers requests one after the other; the longest time that one took.
fn serve(tracing: &HttpTracing, requests: usize) -> Duration {
    let instrumentation = Instrumentation::new(tracing, "suite");
    let request = Request::get("/users/7").body(()).unwrap();
    let head = ResponseView {
        status: 200,
        headers: &HeaderMap::new(),
        body: BodySize::Empty,
        upgrade: false,
    };
    let served = (0..requests).map(|_| {
        let began = Instant::now();
        assert!(instrumentation.begin(&request).head(&head).is_none());
        began.elapsed()
    });
    served.max().unwrap_or_default()
}

#[test]
fn stalled_collector_has_no_effect_on_requests_and_holds_one_batch_and_one_queue() {
    const LIMIT: Duration = Duration::from_millis(100);
    for wire in WIRES {
        let receiver = Receiver::answering(*wire, |_| Reply::Silence);
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
        let far_end = FarEnd::new();
        let receiver = Receiver::answering(*wire, {
            let far_end = far_end.clone();
            move |_| {
                far_end.pass();
                Reply::Taken
            }
        });
        let builder = quick(builder(&receiver)).queue_spans(100);
        let (tracing, tracer) = start(builder);
        far_end.stall();
        report(&tracing, 1_000);
        assert!(tracing.flush(Duration::from_millis(20)).timed_out());
        let dropped = tracing.dropped();
        assert!((500..=900).contains(&dropped), "{dropped}");
        far_end.release();
        assert!(tracing.flush(SOON).is_complete());
        tracing.span("after").start().finish();
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(
            (tracing.dropped(), tracer.delivered()),
            (dropped, 1_001 - dropped)
        );
    }
}

/// A listener whose connections nobody reads.
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
fn statuses_are_retried_as_the_specification_says() {
    let http = |status, is_retry| {
        (
            Wire::Http,
            Reply::Http(status, Vec::new(), b"why".to_vec()),
            is_retry,
        )
    };
    let mut table = vec![
        http(400, false),
        http(401, false),
        http(403, false),
        http(404, false),
        http(413, false),
        http(415, false),
        http(429, true),
        http(500, false),
        http(501, false),
        http(502, true),
        http(503, true),
        http(504, true),
    ];
    #[cfg(feature = "grpc")]
    {
        let grpc = |code, is_retry| (Wire::Grpc, Reply::Grpc(code, "why", Vec::new()), is_retry);
        table.extend([
            grpc(1, true),
            grpc(2, false),
            grpc(3, false),
            grpc(4, true),
            grpc(5, false),
            grpc(7, false),
            // Only with a time to wait.
            grpc(8, false),
            grpc(10, true),
            grpc(11, true),
            grpc(12, false),
            grpc(13, false),
            grpc(14, true),
            grpc(15, true),
            grpc(16, false),
            grpc(99, false),
        ]);
        // What a proxy may answer in place of the collector.
        let proxy = |status, is_retry| {
            let reply = Reply::Http(status, Vec::new(), b"why".to_vec());
            (Wire::Grpc, reply, is_retry)
        };
        table.extend([
            proxy(200, false),
            proxy(401, false),
            proxy(404, false),
            proxy(503, true),
        ]);
    }
    for (wire, reply, is_retry) in table {
        let receiver = Receiver::answering(wire, {
            let reply = reply.clone();
            move |_| reply.clone()
        });
        let (builder, errors) = told(quick(builder(&receiver)));
        let (tracing, tracer) = start(builder);
        tracing.span("x").start().finish();
        assert_eq!(tracing.flush(SOON).lost(), 1, "{reply:?}");
        let tries = receiver.rest().len();
        let drops = tracer.drops();
        let expected = if is_retry { (3, 1, 0) } else { (1, 0, 1) };
        assert_eq!((tries, drops.failed, drops.rejected), expected, "{reply:?}");
        let error = errors.recv_timeout(SOON).unwrap();
        assert!(error.starts_with(&receiver.url()), "{error}");
        match reply {
            Reply::Http(status, ..) => assert!(error.contains(&status.to_string()), "{error}"),
            _ => assert!(error.contains("why"), "{error}"),
        }
    }
}

#[test]
fn refused_status_keeps_nothing_from_the_next_batch() {
    for wire in WIRES {
        let mut calls = 0;
        let refusal = match wire {
            Wire::Http => Reply::Http(400, Vec::new(), Vec::new()),
            #[cfg(feature = "grpc")]
            Wire::Grpc => Reply::Grpc(3, "", Vec::new()),
        };
        let receiver = Receiver::answering(*wire, move |_| {
            calls += 1;
            if calls == 1 {
                refusal.clone()
            } else {
                Reply::Taken
            }
        });
        let (tracing, tracer) = start(quick(builder(&receiver)));
        for lost in [1, 0] {
            tracing.span("x").start().finish();
            assert_eq!(tracing.flush(SOON).lost(), lost);
        }
        assert_eq!((tracer.delivered(), tracer.drops().rejected), (1, 1));
    }
}

#[test]
fn partial_success_counts_what_was_refused_and_tells_why() {
    for wire in WIRES {
        let receiver = Receiver::answering(*wire, |_| Reply::Partly(2, "too old"));
        let (builder, errors) = told(quick(builder(&receiver)));
        let (tracing, tracer) = start(builder.batch_interval(Duration::from_secs(3600)));
        report(&tracing, 5);
        assert_eq!(tracing.flush(SOON).lost(), 2);
        assert_eq!((tracer.delivered(), tracer.drops().rejected), (3, 2));
        let error = errors.recv_timeout(SOON).unwrap();
        assert_eq!(error, "2 spans were refused: too old");
        assert_eq!(receiver.rest().len(), 1, "a partial success is not retried");
    }
}

#[test]
fn partial_success_of_nothing_or_of_more_than_was_sent_is_counted_right() {
    for (refused, delivered, rejected) in [(0, 5, 0), (5, 0, 5), (100, 0, 5), (-1, 5, 0)] {
        let receiver =
            Receiver::answering(Wire::Http, move |_| Reply::Partly(refused, "a warning"));
        let builder = quick(builder(&receiver)).batch_interval(Duration::from_secs(3600));
        let (tracing, tracer) = start(builder);
        report(&tracing, 5);
        assert_eq!(tracing.flush(SOON).lost(), rejected);
        let counted = (tracer.delivered(), tracer.drops().rejected);
        assert_eq!(counted, (delivered, rejected), "{refused}");
    }
}

#[test]
fn what_was_refused_of_one_request_is_counted_although_the_next_is_retried() {
    for wire in WIRES {
        let mut calls = 0;
        let busy = match wire {
            Wire::Http => Reply::Http(503, Vec::new(), Vec::new()),
            #[cfg(feature = "grpc")]
            Wire::Grpc => Reply::Grpc(14, "", Vec::new()),
        };
        let receiver = Receiver::answering(*wire, move |_| {
            calls += 1;
            match calls {
                1 => Reply::Partly(1, "one is too many"),
                2 => busy.clone(),
                _ => Reply::Taken,
            }
        });
        let builder = quick(builder(&receiver)).request_bytes(20_000);
        let (tracing, tracer) = start(builder.batch_interval(Duration::from_secs(3600)));
        for number in 0..8 {
            let span = tracing.span(format!("{number}")).start();
            span.set_tag("fat", "x".repeat(4_000));
            span.finish();
        }
        assert_eq!(tracing.flush(SOON).lost(), 1);
        let calls = receiver.rest();
        let names: Vec<_> = calls.iter().map(|call| call.names().join("")).collect();
        assert_eq!(names, ["0123", "4567", "4567"]);
        assert_eq!((tracer.delivered(), tracer.drops().rejected), (7, 1));
    }
}

/// A `google.rpc.Status` with a `RetryInfo` of so many nanoseconds.
fn retry_info(nanoseconds: u32) -> Vec<u8> {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct RetryInfo {
        #[prost(message, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }
    let delay = Delay {
        seconds: 0,
        nanos: nanoseconds as i32,
    };
    let info = RetryInfo {
        retry_delay: Some(delay),
    };
    let detail = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    Status {
        code: 8,
        details: vec![detail],
    }
    .encode_to_vec()
}

#[test]
fn pause_that_is_asked_for_is_kept() {
    const PAUSE: Duration = Duration::from_millis(300);
    let status = retry_info(PAUSE.subsec_nanos());
    let protobuf = ("content-type", "application/x-protobuf".to_owned());
    let mut table = vec![
        // Whole seconds, so that it takes one.
        (
            Wire::Http,
            Reply::Http(429, vec![("retry-after", "1".to_owned())], Vec::new()),
            Duration::from_secs(1),
        ),
        (
            Wire::Http,
            Reply::Http(503, vec![protobuf], status.clone()),
            PAUSE,
        ),
    ];
    #[cfg(feature = "grpc")]
    table.extend([
        (Wire::Grpc, Reply::Grpc(14, "busy", status.clone()), PAUSE),
        (Wire::Grpc, Reply::Grpc(8, "busy", status.clone()), PAUSE),
    ]);
    for (wire, busy, pause) in table {
        let (tell, times) = channel();
        let mut calls = 0;
        let receiver = Receiver::answering(wire, move |_| {
            tell.send(Instant::now()).unwrap();
            calls += 1;
            if calls == 1 {
                busy.clone()
            } else {
                Reply::Taken
            }
        });
        let (tracing, tracer) = start(quick(builder(&receiver)));
        tracing.span("x").start().finish();
        let first = times.recv_timeout(SOON).unwrap();
        let second = times.recv_timeout(SOON).unwrap();
        assert!(second - first >= pause, "{:?}", second - first);
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(tracer.delivered(), 1);
    }
}

#[test]
fn date_of_the_past_means_at_once() {
    let mut calls = 0;
    let receiver = Receiver::answering(Wire::Http, move |_| {
        calls += 1;
        let date = "Sun, 06 Nov 1994 08:49:37 GMT".to_owned();
        match calls {
            1 => Reply::Http(503, vec![("retry-after", date)], Vec::new()),
            _ => Reply::Taken,
        }
    });
    // Its own pause would be longer than the test's patience.
    let builder = quick(builder(&receiver)).backoff(3 * SOON, 3 * SOON);
    let (tracing, _) = start(builder);
    tracing.span("x").start().finish();
    assert!(tracing.flush(SOON).is_complete());
}

#[test]
fn redirect_is_not_followed_and_the_error_tells_where_it_leads() {
    let receiver = Receiver::answering(Wire::Http, |_| {
        let to = ("location", "https://elsewhere.example/v1/traces".to_owned());
        Reply::Http(308, vec![to], Vec::new())
    });
    let (builder, errors) = told(quick(builder(&receiver)));
    let (tracing, tracer) = start(builder);
    tracing.span("x").start().finish();
    assert_eq!(tracing.flush(SOON).lost(), 1);
    assert_eq!(tracer.drops().rejected, 1);
    let error = errors.recv_timeout(SOON).unwrap();
    assert!(
        error.contains("set the endpoint to what is at https://elsewhere.example/v1/traces"),
        "{error}"
    );
}

#[test]
fn endless_response_is_read_to_a_bound() {
    for wire in WIRES {
        let receiver =
            Receiver::answering(*wire, |_| Reply::Http(400, Vec::new(), vec![b'x'; 3 << 20]));
        let (builder, errors) = told(quick(builder(&receiver)));
        let (tracing, tracer) = start(builder);
        tracing.span("x").start().finish();
        assert_eq!(tracing.flush(SOON).lost(), 1);
        assert_eq!(tracer.drops().rejected, 1);
        let error = errors.recv_timeout(SOON).unwrap();
        assert!(error.len() < 1_200, "{}", error.len());
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
        let far_end = FarEnd::new();
        far_end.stall();
        let receiver = Receiver::answering(*wire, {
            let far_end = far_end.clone();
            move |_| {
                far_end.pass();
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
        far_end.release();
        assert!(tracing.flush(SOON).is_complete());
        assert_accounts(&tracer, 4_000);
        let left = tracer.delivered() as usize;
        assert_eq!(receiver.names(left).len(), left);
    }
}
