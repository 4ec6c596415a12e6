//! A handle that is kept shows its own span and no other, also after the span's end.

use std::sync::mpsc::channel;
use std::thread;

use http::{HeaderMap, Request};
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    Attribute, FanOut, FinishedSpan, HttpTracing, InMemoryTracer, Route, SemanticConvention, Span,
    SpanContext, Tracer,
};

use crate::{SAMPLED, UNSAMPLED, request, serve, serve_many};

/// Drops spans at once, so that their memory comes back to the thread that ended them.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

/// All that can be read through a handle.
fn read(span: &Span) -> (Option<SpanContext>, bool, Option<String>, String, HeaderMap) {
    let mut headers = HeaderMap::new();
    span.inject(&mut headers);
    let baggage = span.baggage_item("user");
    let debug = format!("{span:?}");
    (span.context(), span.is_recording(), baggage, debug, headers)
}

#[test]
fn a_kept_handle_sees_no_other_request() {
    let tracing = HttpTracing::new(Discard);
    let instrumentation = Instrumentation::new(&tracing, "test");
    for traceparent in [SAMPLED, UNSAMPLED] {
        let mut kept = Vec::new();
        for number in 0..50 {
            serve(&instrumentation, &request("/", traceparent), || {
                let span = Span::current();
                span.set_baggage_item("user", &number.to_string());
                kept.push(span);
            });
        }
        let before: Vec<_> = kept.iter().map(read).collect();
        serve_many(&tracing);
        assert_eq!(kept.iter().map(read).collect::<Vec<_>>(), before);
        // Changes after its end change no other span.
        for span in &kept {
            span.set_tag("late", true);
            span.log("late");
            span.set_name("late");
            span.set_route("/late");
            span.set_baggage_item("late", "yes");
            span.set_tag("sampling.priority", 0);
        }
        let mut seen = 0;
        for _ in 0..100 {
            serve(&instrumentation, &request("/", SAMPLED), || {
                let span = Span::current();
                assert_eq!(span.baggage_item("late"), None);
                assert!(span.is_recording());
                seen += 1;
            });
        }
        assert_eq!(seen, 100);
    }
}

#[test]
fn a_kept_finished_span_is_never_changed() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(FanOut::new().and(tracer.clone()).and(Discard))
        .attributes([Attribute::HOST, Attribute::PATH])
        .build()
        .unwrap();
    let instrumentation = Instrumentation::new(&tracing, "test");
    for number in 0..100 {
        let path = format!("/users/{number}");
        serve(&instrumentation, &request(&path, SAMPLED), || {
            let span = Span::current();
            span.set_tag("number", number);
            span.log(format!("event {number}"));
            span.set_baggage_item("user", &number.to_string());
            span.child(format!("child {number}")).set_tag("of", number);
        });
    }
    let kept = tracer.take();
    assert_eq!(kept.len(), 200);
    let shown = |spans: &[FinishedSpan]| {
        spans
            .iter()
            .map(|span| format!("{span:?}"))
            .collect::<Vec<_>>()
    };
    let before = shown(&kept);
    for _ in 0..5 {
        serve_many(&tracing);
        drop(tracer.take());
    }
    assert_eq!(shown(&kept), before);
    for (number, pair) in kept.chunks(2).enumerate() {
        let [child, span] = pair else { unreachable!() };
        assert_eq!(child.name(), format!("child {number}"));
        assert_eq!(child.parent_id(), Some(span.context().span_id()));
        assert_eq!(
            span.tag("path").unwrap(),
            format!("/users/{number}").as_str()
        );
        assert_eq!(span.tag("number").unwrap().as_i64(), Some(number as i64));
        assert_eq!(
            span.baggage().get("user"),
            Some(number.to_string().as_str())
        );
    }
}

#[test]
fn a_handle_on_another_thread_stays_with_its_request() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let instrumentation = Instrumentation::new(&tracing, "test");
    let (send, receive) = channel::<(u64, Span)>();
    let other = thread::spawn(move || {
        for (number, span) in receive {
            let id = span.context().map(|context| context.span_id());
            // Some of these come before the request's end, some after.
            span.set_tag("number", number as i64);
            span.log("from elsewhere");
            span.set_baggage_item("number", &number.to_string());
            assert_eq!(span.context().map(|context| context.span_id()), id);
            assert_eq!(
                span.baggage_item("number").as_deref(),
                Some(number.to_string().as_str())
            );
        }
    });
    for number in 0..10_000 {
        let traceparent = if number % 3 == 0 { UNSAMPLED } else { SAMPLED };
        serve(&instrumentation, &request("/", traceparent), || {
            let span = Span::current();
            assert_eq!(span.baggage_item("number"), None);
            span.set_tag("own", number as i64);
            send.send((number, span)).unwrap();
        });
        for span in tracer.take() {
            let own = span.tag("own").and_then(|own| own.as_i64());
            let elsewhere = span.tag("number").and_then(|number| number.as_i64());
            assert!(own.is_some());
            assert!(elsewhere.is_none() || elsewhere == own, "{span:?}");
        }
    }
    drop(send);
    other.join().unwrap();
}

#[test]
fn late_changes_of_a_request_that_is_not_recorded_are_seen_by_every_handle_on_every_thread() {
    let tracing = HttpTracing::new(Discard);
    let instrumentation = Instrumentation::new(&tracing, "test");
    for tracing_headers in [true, false] {
        let tracing = HttpTracing::builder(Discard).skip("/").build().unwrap();
        let skipping = Instrumentation::new(&tracing, "test");
        let mut request = request("/", UNSAMPLED);
        if !tracing_headers {
            request.headers_mut().remove("traceparent");
        }
        let instrumentation = if tracing_headers {
            &instrumentation
        } else {
            &skipping
        };
        let mut span = instrumentation.begin(&request);
        let early = span.span().clone();
        let late = early.clone();
        thread::spawn(move || {
            late.set_baggage_item("user", "ann");
            late.set_tag("sampling.priority", 1);
        })
        .join()
        .unwrap();
        assert_eq!(early.baggage_item("user").as_deref(), Some("ann"));
        span.scope(|| {
            assert_eq!(Span::current().baggage_item("user").as_deref(), Some("ann"));
            assert!(Span::current().child("part").is_recording());
            let mut headers = HeaderMap::new();
            Span::current().inject(&mut headers);
            assert_eq!(headers["baggage"], "user=ann");
        });
    }
}

/// A request with the secret wherever a request can have text, and a handler that adds more of it.
fn leave_secrets(instrumentation: &Instrumentation, traceparent: &str, secret: &str) {
    let mut request = Request::builder()
        .method(secret)
        .uri(format!("/{secret}?{secret}={secret}"))
        .header("traceparent", traceparent)
        .header("jaeger-debug-id", secret)
        .body(())
        .unwrap();
    for name in ["host", "user-agent", "x-team"] {
        request.headers_mut().insert(name, secret.parse().unwrap());
    }
    let pair = format!("{secret}={secret}");
    for name in ["baggage", "tracestate"] {
        request.headers_mut().insert(name, pair.parse().unwrap());
    }
    let mut span = instrumentation.begin(&request);
    span.scope(|| {
        let span = Span::current();
        span.set_tag(secret.to_owned(), secret.to_owned());
        span.log([(secret.to_owned(), secret.to_owned())]);
        span.set_baggage_item(secret, secret);
        span.record_error(&std::io::Error::other(secret.to_owned()));
        span.set_name(secret.to_owned());
        if let Some(slot) = span.hook_slot() {
            let _ = slot.set(Box::new(secret.to_owned()));
        }
        drop(span.child(secret.to_owned()));
    });
    span.set_route(Route::Template(secret));
    span.fail(Some(500), &secret);
}

#[test]
fn nothing_of_one_request_is_read_through_another() {
    const SECRET: &str = "hunter2";
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .convention(SemanticConvention::Both)
        .attribute_names([
            "url",
            "query",
            "path",
            "method",
            "host",
            "user_agent",
            "header:x-team",
        ])
        .on_finish(|end| {
            assert!(!format!("{end:?}").contains(SECRET) || end.outcome.is_failure(end.status))
        })
        .build()
        .unwrap();
    let instrumentation = Instrumentation::new(&tracing, "test");
    for round in 0..300 {
        let traceparent = if round % 2 == 0 { SAMPLED } else { UNSAMPLED };
        leave_secrets(&instrumentation, traceparent, SECRET);
        drop(tracer.take());
        for traceparent in [SAMPLED, UNSAMPLED] {
            serve(&instrumentation, &request("/plain", traceparent), || {
                let span = Span::current();
                let (_, _, _, debug, headers) = read(&span);
                assert!(!format!("{debug} {headers:?}").contains(SECRET));
                assert_eq!(span.baggage_item(SECRET), None);
                assert!(span.hook_slot().is_none_or(|slot| slot.get().is_none()));
            });
        }
        let spans = tracer.take();
        assert_eq!(spans.len(), 1);
        let shown = format!("{spans:?} {:?} {:?}", spans[0].http(), spans[0].omitted());
        assert!(!shown.contains(SECRET), "{shown}");
        assert_eq!(tracing.caught_panics(), 0);
    }
}
