//! Responses of a collector.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::receiver::{Receiver, Reply, WIRES, Wire, own_address};
use crate::{SOON, builder, builder_to, quick, report, start, told};

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
            // Only with a delay.
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
        // Responses of a proxy instead of the collector.
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
        let receiver = Receiver::responding(wire, {
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
        let receiver = Receiver::responding(*wire, move |_| {
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
        let receiver = Receiver::responding(*wire, |_| Reply::Partly(2, "too old"));
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
            Receiver::responding(Wire::Http, move |_| Reply::Partly(refused, "a warning"));
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
        let receiver = Receiver::responding(*wire, move |_| {
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
        let receiver = Receiver::responding(wire, move |_| {
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
    let receiver = Receiver::responding(Wire::Http, move |_| {
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
    let receiver = Receiver::responding(Wire::Http, |_| {
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
fn long_response_is_cut() {
    for wire in WIRES {
        let receiver =
            Receiver::responding(*wire, |_| Reply::Http(400, Vec::new(), vec![b'x'; 3 << 20]));
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
fn endless_response_is_read_to_a_bound() {
    let listener = TcpListener::bind(own_address()).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0; 16]).unwrap();
        let head = b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n";
        connection.write_all(head).unwrap();
        let chunk = [&b"10000\r\n"[..], &[b'x'; 0x1_0000], b"\r\n"].concat();
        // More than all buffers on the way hold; then silence.
        let is_read = (0..500).all(|_| connection.write_all(&chunk).is_ok());
        assert!(!is_read, "everything was read");
    });
    let (tracing, tracer) = start(quick(builder_to(Wire::Http, url)).timeout(SOON));
    tracing.span("x").start().finish();
    assert_eq!(tracing.flush(SOON).lost(), 1);
    assert_eq!(tracer.drops().rejected, 1);
    server.join().unwrap();
}
