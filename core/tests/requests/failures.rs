//! Failures by the policy's rule, messages of panics, and known methods.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use opentracing_http::server::{InRequest, SharedRequestSpan};

use super::*;

fn log(span: &FinishedSpan, key: &str) -> Option<String> {
    let logs = span.logs();
    let field = logs.last()?.fields.iter().find(|field| field.key == key)?;
    Some(field.value.to_string())
}

#[test]
fn the_rule_for_failures_decides_for_responses_and_is_called_once() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let harness = policy(|policy| {
        let policy = policy.convention(SemanticConvention::Both);
        policy.failure_when(move |method, route, status| {
            seen.lock()
                .unwrap()
                .push(format!("{method} {route:?} {status}"));
            Span::current().set_tag("locked", false);
            status == 404
        })
    });
    let mut span = harness.begin(&get("/users/7", &[]));
    span.set_route(Route::Template("/users/{id}"));
    drop(respond(span, 404, BodySize::Empty));
    let span = harness.only();
    assert!(span.is_error());
    assert_eq!(span.tag("error"), Some(Value::from(true)));
    assert_eq!(tag(&span, "error.type").as_deref(), Some("404"));
    assert_eq!(log(&span, "error.kind").as_deref(), Some("404"));

    let span = harness.answer(&get("/", &[]), 500);
    assert!(!span.is_error() && span.logs().is_empty());
    assert_eq!((span.tag("error"), span.tag("error.type")), (None, None));

    harness
        .begin(&get("/", &[]))
        .fail(Some(404), &"no such user");
    let span = harness.only();
    assert_eq!(log(&span, "message").as_deref(), Some("no such user"));
    harness.begin(&get("/", &[])).fail(Some(503), &"later");
    assert!(!harness.only().is_error());

    let expected = [
        r#"GET Template("/users/{id}") 404"#,
        "GET Unknown 500",
        "GET Unknown 404",
        "GET Unknown 503",
    ];
    assert_eq!(*calls.lock().unwrap(), expected);

    // Not called for what is a failure anyway.
    drop(harness.begin(&get("/", &[])));
    assert!(harness.only().is_error());
    harness.begin(&get("/", &[])).fail(None, &"gone");
    assert!(harness.only().is_error());
    drop(respond(
        harness.begin(&get("/", &[])),
        200,
        BodySize::Unknown,
    ));
    assert_eq!(
        tag(&harness.only(), "error.type").as_deref(),
        Some("body_abandoned")
    );
    // Nor for a request that nobody watches.
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let span = harness.begin(&get("/", &[("traceparent", unsampled)]));
    drop(respond(span, 404, BodySize::Empty));
    assert_eq!(calls.lock().unwrap().len(), expected.len());
}

#[test]
fn finish_callbacks_get_the_verdict_of_the_rule_also_if_nothing_is_recorded() {
    let verdicts = Arc::new(Mutex::new(Vec::new()));
    let seen = verdicts.clone();
    let harness = policy(|policy| {
        let policy = policy.skip("/skipped").failure_statuses(["404", "510-520"]);
        policy.on_finish(move |end| {
            seen.lock().unwrap().push((end.status, end.is_failure));
        })
    });
    for (path, status) in [
        ("/skipped", 404),
        ("/", 404),
        ("/", 500),
        ("/", 509),
        ("/", 510),
        ("/", 520),
        ("/", 521),
    ] {
        drop(respond(
            harness.begin(&get(path, &[])),
            status,
            BodySize::Empty,
        ));
    }
    drop(harness.begin(&get("/skipped", &[])));
    let expected = [
        (Some(404), true),
        (Some(404), true),
        (Some(500), false),
        (Some(509), false),
        (Some(510), true),
        (Some(520), true),
        (Some(521), false),
        (None, true),
    ];
    assert_eq!(*verdicts.lock().unwrap(), expected);
    drop(harness.tracer.take());
    let default = Arc::new(Mutex::new(Vec::new()));
    let seen = default.clone();
    let harness =
        policy(|policy| policy.on_finish(move |end| seen.lock().unwrap().push(end.is_failure)));
    for status in [499, 500] {
        harness.answer(&get("/", &[]), status);
    }
    assert_eq!(*default.lock().unwrap(), [false, true]);
}

#[test]
fn a_rule_for_failures_that_panics_leaves_the_default() {
    let harness = policy(|policy| policy.failure_when(|_, _, _| panic!("a rule fails")));
    for (status, fails) in [(404, false), (500, true)] {
        assert_eq!(harness.answer(&get("/", &[]), status).is_error(), fails);
    }
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 2);
}

#[test]
fn a_request_does_not_inherit_the_verdict_of_an_earlier_one() {
    // Spans of one thread use the same memory again.
    let harness = policy(|policy| policy.failure_when(|_, _, status| status == 200));
    for _ in 0..3 {
        assert!(harness.answer(&get("/", &[]), 200).is_error());
        drop(harness.begin(&get("/", &[])));
        assert!(harness.only().is_error());
        assert!(!harness.answer(&get("/", &[]), 500).is_error());
    }
}

#[test]
fn wrong_statuses_are_errors() {
    for wrong in [
        "",
        "abc",
        "5xx",
        "99",
        "1000",
        "500-",
        "-500",
        "599-500",
        "500-599-700",
        "+50",
    ] {
        let built = HttpTracing::builder(InMemoryTracer::new())
            .failure_statuses([wrong])
            .build();
        let error = built.unwrap_err().to_string();
        assert!(
            error.contains("failure_statuses") && error.contains("500-599"),
            "{error}"
        );
    }
    let harness = policy(|policy| policy.failure_statuses([]));
    assert!(!harness.answer(&get("/", &[]), 500).is_error());
}

fn caught(f: impl FnOnce()) -> Box<dyn Any + Send> {
    panic::catch_unwind(AssertUnwindSafe(f)).unwrap_err()
}

fn fails_with(f: impl Fn() -> std::convert::Infallible + 'static) -> Box<dyn Fn()> {
    Box::new(move || match f() {})
}

#[test]
fn messages_of_panics_are_logged_if_asked_for() {
    let harness = policy(|policy| {
        policy
            .record_panic_messages()
            .limits(opentracing_http::Limits::default().with_value_bytes(10))
    });
    // The payload is the same, so that it can be examined further out.
    let number = 7;
    for (panic, expected) in [
        (fails_with(|| panic!("literal")), Some("literal")),
        (
            fails_with(move || panic!("owned {number}")),
            Some("owned 7"),
        ),
        (
            fails_with(move || panic!("this is \u{e4}\u{e4} cut {number}")),
            Some("this is \u{e4}"),
        ),
        (fails_with(|| panic::panic_any(7_u8)), None),
    ] {
        let mut span = harness.begin(&get("/", &[]));
        let payload = caught(|| span.scope(&*panic));
        let same = caught(&*panic);
        assert_eq!((*payload).type_id(), (*same).type_id());
        drop(span);
        let span = harness.only();
        assert_eq!(outcome(&span), Outcome::Panicked);
        assert_eq!(log(&span, "message").as_deref(), expected);
    }
    let plain = defaults();
    let mut span = plain.begin(&get("/", &[]));
    assert!(caught(|| span.scope(|| panic!("secret"))).is::<&'static str>());
    drop(span);
    assert_eq!(log(&plain.only(), "message"), None);
}

#[test]
fn the_first_message_of_a_panic_stays() {
    let harness = policy(HttpTracingBuilder::record_panic_messages);
    let mut span = harness.begin(&get("/", &[]));
    span.set_error(&"before");
    for message in ["first", "second"] {
        let payload = caught(|| span.scope(|| panic::panic_any(message)));
        assert_eq!(payload.downcast_ref(), Some(&message));
    }
    // A framework that turns the panic into a response.
    span.set_error(&"internal server error");
    drop(respond(span, 500, BodySize::Empty));
    let span = harness.only();
    assert_eq!(outcome(&span), Outcome::Panicked);
    assert_eq!(log(&span, "message").as_deref(), Some("first"));
    // The memory is used again.
    harness.begin(&get("/", &[])).fail(None, &"mine");
    assert_eq!(log(&harness.only(), "message").as_deref(), Some("mine"));
}

thread_local! {
    static HOOK_CALLS: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn the_panic_hook_is_called_once_and_stays_the_applications() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        HOOK_CALLS.with(|calls| calls.set(calls.get() + 1));
        before(info);
    }));
    let harness = policy(HttpTracingBuilder::record_panic_messages);
    let mut span = harness.begin(&get("/", &[]));
    caught(|| span.scope(|| panic!("as asked for")));
    assert_eq!(HOOK_CALLS.get(), 1);
    drop(span);
    assert_eq!(
        log(&harness.only(), "message").as_deref(),
        Some("as asked for")
    );
}

/// A future that panics when it is dropped.
struct PanicsAtItsEnd;

impl Future for PanicsAtItsEnd {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for PanicsAtItsEnd {
    fn drop(&mut self) {
        assert!(Span::current().is_recording());
        panic!("while it was dropped");
    }
}

#[test]
fn messages_of_panics_come_from_calls_polls_drops_and_bodies() {
    let harness = policy(HttpTracingBuilder::record_panic_messages);
    let request = get("/", &[]);
    let context = &mut Context::from_waker(Waker::noop());

    caught(|| {
        let call = || -> std::future::Ready<()> { panic!("in the call") };
        drop(InRequest::new(harness.begin(&request), call));
    });
    assert_eq!(
        log(&harness.only(), "message").as_deref(),
        Some("in the call")
    );

    caught(|| {
        let mut handler = pin!(InRequest::new(harness.begin(&request), || async {
            panic!("in a poll")
        }));
        let _: Poll<((), _)> = handler.as_mut().poll(context);
    });
    assert_eq!(
        log(&harness.only(), "message").as_deref(),
        Some("in a poll")
    );

    caught(|| drop(InRequest::new(harness.begin(&request), || PanicsAtItsEnd)));
    let span = harness.only();
    assert_eq!(outcome(&span), Outcome::Panicked);
    assert_eq!(
        log(&span, "message").as_deref(),
        Some("while it was dropped")
    );

    let mut body = respond(harness.begin(&request), 200, BodySize::Unknown).unwrap();
    caught(|| body.scope(|| panic!("in the body")));
    drop(body);
    assert_eq!(
        log(&harness.only(), "message").as_deref(),
        Some("in the body")
    );

    // An inner mount point, in a scope of its own.
    let outer = harness.begin(&request);
    let mut inner = harness.instrumentation.join(outer.span(), &request);
    caught(|| inner.scope(|| panic!("further in")));
    drop((inner, outer));
    assert_eq!(
        log(&harness.only(), "message").as_deref(),
        Some("further in")
    );

    // A shared span is not called by the tracing: it finds that the thread panics, and not with what.
    caught(|| {
        let _shared = SharedRequestSpan::new(harness.begin(&request));
        panic!("elsewhere")
    });
    let span = harness.only();
    assert_eq!(
        (outcome(&span), log(&span, "message")),
        (Outcome::Panicked, None)
    );
}

#[test]
fn the_list_of_known_methods_can_be_replaced() {
    let methods = Arc::new(Mutex::new(Vec::new()));
    let seen = methods.clone();
    let harness = policy(|policy| {
        policy
            .convention(SemanticConvention::OpenTelemetry)
            .known_methods(["GET", "PURGE", "get"])
            .on_finish(move |end| seen.lock().unwrap().push(end.method.to_owned()))
    });
    for (method, known) in [
        ("GET", true),
        ("PURGE", true),
        ("get", true),
        ("POST", false),
        ("purge", false),
    ] {
        let request = Request::builder()
            .method(method)
            .uri("/c/7")
            .body(())
            .unwrap();
        let mut span = harness.begin(&request);
        span.set_route(Route::Template("/c/{id}"));
        // A second template replaces the first beside the method.
        span.set_route(Route::Template("/cache/{id}"));
        drop(respond(span, 200, BodySize::Empty));
        let span = harness.only();
        let (name, shown) = if known {
            (method, method)
        } else {
            ("HTTP", "_OTHER")
        };
        assert_eq!(span.name(), format!("{name} /cache/{{id}}"));
        assert_eq!(span.http().unwrap().method(), shown);
        assert_eq!(tag(&span, "http.request.method").as_deref(), Some(shown));
        let original = tag(&span, "http.request.method_original");
        assert_eq!(original.as_deref(), (!known).then_some(method));
        assert_eq!(methods.lock().unwrap().pop().as_deref(), Some(shown));
        assert_eq!(harness.answer(&request, 200).name(), name);
    }
    let error = HttpTracing::builder(InMemoryTracer::new())
        .known_methods(["GET", "A B"])
        .build();
    assert!(error.unwrap_err().to_string().contains("known_methods"));
}

#[test]
fn the_environment_replaces_the_list_of_known_methods() {
    let variable = |value: &'static str| {
        move |name: &str| {
            (name == "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS").then(|| value.to_owned())
        }
    };
    let name = |value, method| {
        let harness = policy(|policy| policy.env_with(variable(value)));
        let request = Request::builder().method(method).uri("/").body(()).unwrap();
        harness.answer(&request, 200).name().to_owned()
    };
    assert_eq!(name("GET, REPORT", "REPORT"), "REPORT");
    assert_eq!(name("GET, REPORT", "POST"), "HTTP");
    assert_eq!(name("", "POST"), "POST");
    for wrong in [",", "GET,A B", "GET POST"] {
        let built = HttpTracing::builder(InMemoryTracer::new())
            .env_with(variable(wrong))
            .build();
        let error = built.unwrap_err().to_string();
        assert!(
            error.contains("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"),
            "{error}"
        );
    }
}

/// Samples what has this name.
#[derive(Debug)]
struct Named(&'static str);

impl opentracing_http::sampler::Sampler for Named {
    fn sample(
        &self,
        request: &opentracing_http::sampler::SamplingParams<'_>,
    ) -> opentracing_http::sampler::SamplingResult {
        match request.name() == self.0 {
            true => opentracing_http::sampler::SamplingResult::record_and_sample(),
            false => opentracing_http::sampler::SamplingResult::drop(),
        }
    }
}

#[test]
fn samplers_see_the_name_by_the_list() {
    let harness = policy(|policy| policy.known_methods(["PURGE"]).sampler(Named("PURGE")));
    for (method, recorded) in [("PURGE", true), ("GET", false)] {
        let request = Request::builder().method(method).uri("/").body(()).unwrap();
        drop(respond(harness.begin(&request), 200, BodySize::Empty));
        assert_eq!(
            harness.tracer.take().len(),
            usize::from(recorded),
            "{method}"
        );
    }
}
