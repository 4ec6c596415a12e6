//! Frameworks that call back around each poll and have no routes: code within a request's scope sets its route, its name and
//! its scopes.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use http::Request;
use opentracing_http::server::{BodySize, Instrumentation, SharedRequestSpan};
use opentracing_http::{Attribute, HttpTracing, InMemoryTracer, Outcome, Route, Span, Value};

use self::support::{Bare, Marked};

const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn get(traceparent: Option<&str>) -> Request<()> {
    let request = Request::get("/users/7");
    let request = match traceparent {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
    request.body(()).expect("the request is right")
}

fn empty() -> Bare {
    Bare {
        status: 200,
        body: BodySize::Empty,
    }
}

#[test]
fn a_scope_can_be_entered_and_left_by_two_calls() {
    let tracer = InMemoryTracer::new();
    let place = Instrumentation::new(HttpTracing::new(tracer.clone()), "test");
    let request = SharedRequestSpan::new(place.begin(&get(None)));
    let scope = request.enter();
    assert_eq!(Span::current().context(), request.span().context());
    request.leave(scope);
    assert!(Span::current().is_none());

    let caught = catch_unwind(AssertUnwindSafe(|| {
        struct Leaves<'a>(
            &'a SharedRequestSpan,
            Option<opentracing_http::server::RequestScope>,
        );
        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                self.0.leave(self.1.take().unwrap());
            }
        }
        let scope = request.enter();
        let _leaves = Leaves(&request, Some(scope));
        panic!("as asked for");
    }));
    assert!(caught.is_err() && Span::current().is_none());
    drop(request);
    let outcome = tracer.finished()[0].http().unwrap().outcome();
    assert_eq!(outcome, Outcome::Panicked);
}

#[test]
fn respond_can_be_called_within_the_scope() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .on_finish(move |end| noted.lock().unwrap().push(end.span.baggage_item("user")))
        .build()
        .unwrap();
    let place = Instrumentation::new(&tracing, "test");
    let request = SharedRequestSpan::new(place.begin(&get(Some(UNSAMPLED))));
    let scope = request.enter();
    Span::current().set_baggage_item("user", "ada");
    let span = request.take().unwrap();
    assert!(span.respond(&mut empty()).is_none());
    drop(scope);
    assert!(Span::current().is_none());
    assert_eq!(*seen.lock().unwrap(), [Some("ada".to_owned())]);
}

#[test]
fn a_route_set_by_the_handler_names_the_span() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let mut request = Instrumentation::new(&tracing, "test").begin(&get(None));
    request.scope(|| {
        let span = Span::current();
        span.set_route("/users/{id}");
        span.child("part").finish();
    });
    assert!(request.respond(&mut empty()).is_none());
    let span = tracer.named("GET /users/{id}").remove(0);
    assert_eq!(span.tag("http.route"), Some(Value::from("/users/{id}")));
    // Spans that are not requests have no route, and empty handles do nothing.
    let span = tracing.span("job").start();
    span.set_route("/users/{id}");
    span.finish();
    assert_eq!(tracer.named("job")[0].tag("http.route"), None);
    Span::none().set_route("/users/{id}");
}

#[test]
fn the_naming_rule_gets_the_route_of_the_handler_or_an_inner_mount_point() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .name_with(|method, route| match route {
            Route::Template(template) => Some(format!("{template} {method}")),
            _ => None,
        })
        .build()
        .unwrap();
    let mut request = Instrumentation::new(&tracing, "test").begin(&get(None));
    request.scope(|| Span::current().set_route("/users/{id}"));
    drop(request);
    assert_eq!(tracer.finished()[0].name(), "/users/{id} GET");
}

#[test]
fn finish_callbacks_get_the_route_of_a_request_that_is_not_recorded() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .on_finish(move |end| {
            if let Route::Template(template) = end.route {
                noted.lock().unwrap().push(template.to_owned());
            }
        })
        .build()
        .unwrap();
    let mut request = Instrumentation::new(&tracing, "test").begin(&get(Some(UNSAMPLED)));
    request.scope(|| {
        let span = Span::current();
        span.set_route("/first");
        span.set_route("/last");
        span.is_none()
    });
    drop(request);
    assert_eq!(*seen.lock().unwrap(), ["/last"]);
}

#[test]
fn a_mount_point_that_joins_late_does_not_override_the_handlers_name() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let outer = Instrumentation::new(tracing.mount_point().name("outer"), "test");
    let inner = tracing.mount_point().name("inner");
    let inner = Instrumentation::new(inner.attributes([Attribute::PATH]), "test");
    for renames in [false, true] {
        let mut request = outer.begin(&get(None));
        request.scope(|| {
            let joined = inner.joinable(&Marked(&get(None))).unwrap();
            assert!(inner.joinable(&get(None)).is_none());
            if renames {
                Span::current().set_name("the handler's");
            }
            drop(inner.join(&joined, &get(None)));
        });
        drop(request);
        let span = tracer.take().remove(0);
        assert_eq!(span.name(), if renames { "the handler's" } else { "inner" });
        assert_eq!(span.tag("path"), Some(Value::from("/users/7")));
    }
    assert!(inner.joinable(&Marked(&get(None))).is_none());
}
