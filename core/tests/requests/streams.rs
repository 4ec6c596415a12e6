//! When the span of a response ends, and of an event stream in particular.

use super::*;

fn event_stream() -> HeaderMap {
    of_type("text/event-stream; charset=utf-8")
}

fn of_type(content_type: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", content_type.parse().unwrap());
    headers
}

fn begin(harness: &Harness, method: &str) -> RequestSpan {
    harness.begin(&Request::builder().method(method).uri("/").body(()).unwrap())
}

fn stream(span: RequestSpan, headers: &HeaderMap) -> BodySpan {
    let mut headers = headers.clone();
    let mut response = response(200, &mut headers, BodySize::Unknown);
    span.respond(&mut response).unwrap()
}

/// Whether the span of a streamed response ends with its head.
fn ends_at_head(harness: &Harness, method: &str, headers: &HeaderMap) -> bool {
    let mut body = stream(begin(harness, method), headers);
    let at_head = !harness.tracer.take().is_empty();
    body.scope(|| {
        assert!(
            !Span::current().is_none(),
            "a stream always sees its request"
        );
    });
    drop(body);
    assert_eq!(harness.tracer.take().len(), usize::from(!at_head));
    at_head
}

#[test]
fn end_of_a_span_is_set_by_the_policy_and_by_the_mount_point() {
    let (events, plain) = (event_stream(), HeaderMap::new());
    let ends = |policy_ends, here: Option<SpanEnd>, headers: &HeaderMap| {
        let mut harness = policy(|policy| policy.ends(policy_ends));
        if let Some(end) = here {
            harness.instrumentation = harness.mount(|mount_point| mount_point.ends(end));
        }
        ["GET", "POST"].map(|method| ends_at_head(&harness, method, headers))
    };
    let (auto, head, body) = (SpanEnd::Auto, SpanEnd::Head, SpanEnd::Body);
    assert_eq!(SpanEnd::default(), auto);
    assert_eq!(ends(auto, None, &plain), [false, false]);
    assert_eq!(ends(auto, None, &events), [true, false]);
    assert_eq!(ends(head, None, &plain), [true, true]);
    assert_eq!(ends(head, None, &events), [true, true]);
    assert_eq!(ends(body, None, &plain), [false, false]);
    assert_eq!(ends(body, None, &events), [false, false]);
    assert_eq!(ends(auto, Some(head), &plain), [true, true]);
    assert_eq!(ends(auto, Some(body), &events), [false, false]);
    assert_eq!(ends(head, Some(body), &events), [false, false]);
    assert_eq!(ends(body, Some(auto), &events), [true, false]);
}

#[test]
fn event_stream_is_told_by_its_whole_media_type() {
    let harness = defaults();
    for content_type in [
        "text/event-stream",
        "Text/Event-Stream",
        "text/event-stream;charset=utf-8",
        "text/event-stream ; charset=utf-8",
        "text/event-stream\t",
    ] {
        let headers = of_type(content_type);
        assert!(ends_at_head(&harness, "GET", &headers), "{content_type:?}");
    }
    for content_type in [
        "text/event-streamx",
        "text/event-stream-2",
        "text/event-stream,text/plain",
        "text/event",
        "text/plain; x=text/event-stream",
    ] {
        let headers = of_type(content_type);
        assert!(!ends_at_head(&harness, "GET", &headers), "{content_type:?}");
    }
}

#[test]
fn event_stream_of_any_method_but_get_ends_with_its_body() {
    let harness = defaults();
    // Methods are case-sensitive: RFC 9110, section 9.1.
    for method in ["POST", "PUT", "QUERY", "BREW", "get"] {
        let mut body = stream(begin(&harness, method), &event_stream());
        body.note(BodyPart::Data(5));
        assert!(harness.tracer.finished().is_empty(), "{method}");
        drop(body);
        let span = harness.only();
        assert_eq!(outcome(&span), Outcome::BodyAbandoned, "{method}");
        assert_eq!(span.http().unwrap().body_bytes(), 5);

        let mut body = stream(begin(&harness, method), &event_stream());
        body.note(BodyPart::LastData(7));
        let span = harness.only();
        assert_eq!(outcome(&span), Outcome::Completed, "{method}");
        assert_eq!(span.http().unwrap().body_bytes(), 7);
    }
    // The end of a stream in response to GET is its head, so leaving it is no failure.
    drop(stream(begin(&harness, "GET"), &event_stream()));
    let span = harness.only();
    assert_eq!(
        (outcome(&span), span.is_error()),
        (Outcome::Completed, false)
    );
}

#[test]
fn end_of_an_unrecorded_event_stream_is_the_same_for_finish_callbacks() {
    use opentracing_http::sampler::Never;
    for (method, expected) in [
        ("GET", Outcome::Completed),
        ("POST", Outcome::BodyAbandoned),
    ] {
        let ends = Arc::new(Mutex::new(Vec::new()));
        let harness = {
            let ends = ends.clone();
            policy(|policy| {
                let policy = policy.sampler(Never);
                policy.on_finish(move |end| ends.lock().unwrap().push(end.outcome))
            })
        };
        let body = stream(begin(&harness, method), &event_stream());
        let at_head = ends.lock().unwrap().len();
        drop(body);
        assert_eq!(at_head, usize::from(method == "GET"));
        assert_eq!(*ends.lock().unwrap(), [expected], "{method}");
    }
}

/// When a request ends, and by which route, does not depend on whether it is recorded: metrics count all requests.
#[test]
fn mount_points_decide_about_unrecorded_requests_as_about_recorded_ones() {
    use opentracing_http::sampler::{Always, Never, Sampler};

    /// An inner mount point's request: its route is known there.
    struct Routed;
    impl RequestView for Routed {
        fn method(&self) -> &str {
            "POST"
        }
        fn path(&self) -> &str {
            "/items/7"
        }
        fn headers(&self) -> &dyn HeaderView {
            &[("x", "y")]
        }
        fn route(&self) -> Route<'_> {
            Route::Template("/items/{id}")
        }
    }

    fn run(sampler: impl Sampler + 'static, outer: Option<SpanEnd>, inner: SpanEnd) -> String {
        let ends: Arc<Mutex<Vec<String>>> = Arc::default();
        let harness = {
            let ends = ends.clone();
            policy(|policy| {
                policy.sampler(sampler).on_finish(move |end| {
                    let seen = format!("{} {:?} {}", end.outcome, end.route, end.method);
                    ends.lock().unwrap().push(seen);
                })
            })
        };
        let outer = harness.mount(|point| match outer {
            Some(end) => point.ends(end),
            None => point,
        });
        let request = Request::post("/items/7").body(()).unwrap();
        let span = outer.begin(&request);
        let inner = harness.mount(|point| point.ends(inner).attributes([Attribute::HOST]));
        drop(inner.join(&span.span().clone(), &Routed));
        let mut headers = event_stream();
        let head = &mut response(200, &mut headers, BodySize::Unknown);
        let body = span.respond(head).unwrap();
        let at_head = ends.lock().unwrap().len();
        drop(body);
        let ends = ends.lock().unwrap();
        format!("{at_head} {}", ends.join(" "))
    }

    for outer in [None, Some(SpanEnd::Head), Some(SpanEnd::Body)] {
        for inner in [SpanEnd::Auto, SpanEnd::Head, SpanEnd::Body] {
            let (recorded, unrecorded) = (run(Always, outer, inner), run(Never, outer, inner));
            assert_eq!(unrecorded, recorded, "{outer:?} {inner:?}");
        }
    }
}

#[test]
fn event_stream_of_a_declared_size_ends_with_its_body() {
    let harness = defaults();
    let mut headers = event_stream();
    headers.insert("content-length", "12".parse().unwrap());
    assert!(!ends_at_head(&harness, "GET", &headers));
}
