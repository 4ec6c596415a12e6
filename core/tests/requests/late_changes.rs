//! Changes of spans that have ended are counted, and reported once.

use opentracing_http::Diagnostic;
use opentracing_http::sampler::Never;

use super::*;

type Lines = Arc<Mutex<Vec<String>>>;
type Change<'a> = &'a dyn Fn(&Span);

/// A policy that keeps the texts of its diagnostics.
fn audible() -> (HttpTracing, InMemoryTracer, Lines) {
    let (lines, tracer) = (Lines::default(), InMemoryTracer::new());
    let hook = lines.clone();
    let tracing = HttpTracing::builder(tracer.clone())
        .on_diagnostic(move |diagnostic| hook.lock().unwrap().push(diagnostic.to_string()))
        .build()
        .unwrap();
    (tracing, tracer, lines)
}

#[test]
fn every_late_change_is_counted_and_named() {
    let error = std::io::Error::other("no such order");
    let cause = HttpTracing::new(InMemoryTracer::new())
        .span("publish")
        .start();
    let cause = cause.context().unwrap();
    let changes: [(&str, Change<'_>); 11] = [
        ("tag `items`", &|span| span.set_tag("items", 3)),
        ("tag `sampling.priority`", &|span| {
            span.set_tag("sampling.priority", 1)
        }),
        ("several tags", &|span| {
            span.set_tags([("from", "Berlin"), ("to", "Paris")])
        }),
        ("a log", &|span| span.log("chunk")),
        ("a log", &|span| {
            span.log_at(std::time::SystemTime::now(), "chunk")
        }),
        ("an error", &|span| span.record_error(&error)),
        ("the name", &|span| span.set_name("other")),
        ("route `/a/{b}`", &|span| span.set_route("/a/{b}")),
        ("baggage item `tenant`", &|span| {
            span.set_baggage_item("tenant", "blue")
        }),
        ("a reference", &|span| span.add_follows_from(cause.clone())),
        (&format!("tag `{}`", "k".repeat(100)), &|span| {
            span.set_tag("k".repeat(101), 3)
        }),
    ];
    for (change, set) in changes {
        let (tracing, tracer, lines) = audible();
        let instrumentation = Instrumentation::new(&tracing, "test");
        let request = instrumentation.begin(&get("/", &[]));
        let handle = request.span().clone();
        set(&handle);
        assert_eq!(tracing.late_changes(), 0, "{change}: the span is open");
        handle.set_name("order");
        assert!(respond(request, 200, BodySize::Empty).is_none());
        let logs = tracer.finished()[0].logs().len();
        for late in 1..=3 {
            set(&handle);
            assert_eq!(tracing.late_changes(), late, "{change}");
        }
        assert_eq!(tracer.finished()[0].logs().len(), logs);
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1, "{change}: reported once");
        let start = format!("{change} was set after the span `order` had ended");
        assert!(lines[0].starts_with(&start), "{lines:?}");
        assert!(lines[0].contains("`.ends(SpanEnd::Body)`"), "{lines:?}");
    }
}

#[test]
fn what_goes_on_after_a_span_is_no_late_change() {
    let (tracing, tracer, lines) = audible();
    let instrumentation = Instrumentation::new(&tracing, "test");
    let request = instrumentation.begin(&get("/", &[]));
    let handle = request.span().clone();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/event-stream".parse().unwrap());
    // The span of an event stream ends with its head, and the adapter goes on following its body.
    let mut head = response(200, &mut headers, BodySize::Unknown);
    let mut body = request.respond(&mut head).unwrap();
    assert_eq!(tracer.finished().len(), 1);
    let inner = instrumentation.join(&handle, &get("/", &[]));
    drop(inner);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        body.scope(|| panic!("as asked for"))
    }));
    assert!(caught.is_err());
    body.note(BodyPart::Data(3));
    body.note(BodyPart::Error(&"reset"));
    drop(body);

    let mut carrier = HeaderMap::new();
    handle.inject(&mut carrier);
    assert!(handle.context().is_some() && !carrier.is_empty());
    handle.child("child").finish();
    handle.follower("follower").finish();
    handle.in_scope(|| assert!(!Span::current().is_recording()));
    let again = handle.clone();
    drop((again, handle));
    assert_eq!(tracing.late_changes(), 0);
    assert!(lines.lock().unwrap().is_empty());
}

/// A body of known size can be made by the application, too, such as a file that is read in chunks.
#[test]
fn change_in_a_body_of_known_size_is_late_after_the_head() {
    let (tracing, tracer, _) = audible();
    let point = tracing.mount_point().ends(SpanEnd::Head);
    let request = Instrumentation::new(point, "test").begin(&get("/", &[]));
    let mut body = respond(request, 200, BodySize::Exact(5)).unwrap();
    assert_eq!(tracer.finished().len(), 1);
    body.scope(|| Span::current().set_tag("chunk", 1));
    assert_eq!(tracing.late_changes(), 1);
}

#[test]
fn change_of_a_span_that_is_not_recorded_is_not_late() {
    let finishes = policy(|policy| policy.sampler(Never).on_finish(|_| ()));
    let request = finishes.begin(&get("/", &[]));
    let handle = request.span().clone();
    assert!(respond(request, 200, BodySize::Empty).is_none());
    for span in [&handle, &Span::none()] {
        span.set_tag("items", 3);
        span.set_tag("sampling.priority", 1);
        span.set_tags([("a", 1), ("b", 2)]);
        span.log("chunk");
        span.set_name("other");
        span.set_route("/a");
        span.set_baggage_item("tenant", "blue");
        span.record_error(&std::io::Error::other("none"));
    }
    assert_eq!(finishes.instrumentation.tracing().late_changes(), 0);
}

#[test]
fn log_beyond_the_limit_of_an_open_span_is_not_late() {
    let limits = opentracing_http::Limits::default().with_logs(1);
    let harness = policy(|policy| policy.limits(limits));
    let tracing = harness.instrumentation.tracing();
    let span = tracing.span("work").start();
    span.log("one");
    span.log("two");
    assert_eq!(tracing.late_changes(), 0);
    span.finish();
}

#[test]
fn hook_that_changes_the_span_again_is_called_once() {
    let kept: Arc<Mutex<Span>> = Arc::default();
    let calls = Arc::new(Mutex::new(0));
    let harness = {
        let (kept, calls) = (kept.clone(), calls.clone());
        policy(|policy| {
            policy.on_diagnostic(move |diagnostic| {
                assert!(matches!(diagnostic, Diagnostic::LateChange(_)));
                *calls.lock().unwrap() += 1;
                let span = kept.lock().unwrap().clone();
                span.set_tag("again", true);
                panic!("as asked for");
            })
        })
    };
    let tracing = harness.instrumentation.tracing();
    let span = tracing.span("work").start();
    let handle = (*span).clone();
    *kept.lock().unwrap() = handle.clone();
    span.finish();
    handle.set_tag("late", true);
    handle.set_tag("late", true);
    assert_eq!((*calls.lock().unwrap(), tracing.late_changes()), (1, 3));
    assert_eq!(tracing.caught_panics(), 1);
}
