//! The tower layer around `warp::service`, beyond the contract.

mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentracing_http::{InMemoryTracer, Outcome, Route, Value};
use opentracing_testkit::client::{Connection, Response};
use opentracing_testkit::server::Running;
use opentracing_warp::{Attribute, HttpTracing, Span, Traced as _, TracingLayer, route};
use tower::Layer as _;
use warp::filters::BoxedFilter;
use warp::reject::Reject;
use warp::{Filter, Reply};

use crate::server::{serve_service, start};

const PATIENCE: Duration = Duration::from_secs(30);
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Serves these routes inside of the layer.
fn serve<R: Reply + Send + 'static>(layer: TracingLayer, routes: BoxedFilter<(R,)>) -> Running {
    start(move |listener| serve_service(listener, layer.layer(warp::service(routes))))
}

fn ask(server: &Running, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut connection = Connection::open(server.addr());
    connection.request(method, path, headers);
    connection.response(method).expect("the server answers")
}

#[derive(Debug)]
struct Broken;

impl Reject for Broken {}

#[test]
fn rejections_have_the_status_that_the_client_gets() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let routes = warp::path("get")
        .and(warp::get())
        .map(|| String::from("got"))
        .or(warp::path("broken")
            .and_then(|| async { Err::<String, _>(warp::reject::custom(Broken)) }))
        .unify()
        .boxed();
    let server = serve(TracingLayer::new(&tracing), routes);
    for (method, path, expected) in [
        ("GET", "/get", 200),
        ("GET", "/x", 404),
        ("POST", "/get", 405),
        ("GET", "/broken", 500),
    ] {
        assert_eq!(ask(&server, method, path, &[]).status, expected);
        let span = tracer.wait_for(1, PATIENCE).remove(0);
        let http = span.http().unwrap();
        assert_eq!(
            (http.status(), http.outcome()),
            (Some(expected), Outcome::Completed),
            "{method} {path}"
        );
        assert_eq!(span.is_error(), expected == 500);
        assert_eq!(tracer.take().len(), 1);
    }
    drop(server);
    tracer.assert_nothing_unfinished();
}

#[test]
fn request_with_both_forms_and_a_traced_route_has_one_span() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let one = warp::path("one")
        .map(|| String::from("1"))
        .traced_route(tracing.mount_point().attributes([Attribute::URL]));
    let two = warp::path!("two" / u32)
        .and(route("/two/{n}"))
        .map(|n: u32| n.to_string())
        .traced_route(tracing.mount_point().attributes([Attribute::PATH]));
    let routes = one.or(two).unify();
    let app = routes
        .traced(tracing.mount_point().attributes([Attribute::METHOD]))
        .boxed();
    let server = serve(
        TracingLayer::new(tracing.mount_point().attributes([Attribute::HOST])),
        app,
    );
    assert_eq!(ask(&server, "GET", "/two/2?q=1", &[]).text(), "2");
    let span = tracer.wait_for(1, PATIENCE).remove(0);
    assert_eq!(span.name(), "GET /two/{n}");
    let tags: Vec<_> = ["host", "method", "path", "url"]
        .into_iter()
        .filter_map(|key| Some((key, span.tag(key)?)))
        .collect();
    let expected = [
        ("host", "test.example"),
        ("method", "GET"),
        ("path", "/two/2"),
    ];
    assert_eq!(tags, expected.map(|(key, value)| (key, Value::from(value))));
    drop(server);
    assert_eq!(tracer.take().len(), 1);
    tracer.assert_nothing_unfinished();
}

#[test]
fn finish_callbacks_get_the_route_of_requests_that_are_not_recorded() {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let noted = ends.clone();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .on_finish(move |end| {
            let route = match end.route {
                Route::Template(template) => template.to_owned(),
                _ => String::new(),
            };
            noted
                .lock()
                .unwrap()
                .push((route, end.status, end.span.baggage_item("user")));
        })
        .build()
        .unwrap();
    let routes = warp::path!("users" / u32)
        .and(route("/users/{id}"))
        .map(|id: u32| {
            Span::current().set_baggage_item("user", "ada");
            id.to_string()
        })
        .boxed();
    let server = serve(TracingLayer::new(&tracing), routes);
    assert_eq!(
        ask(&server, "GET", "/users/7", &[("traceparent", UNSAMPLED)]).status,
        200
    );
    drop(server);
    let expected = ("/users/{id}".to_owned(), Some(200), Some("ada".to_owned()));
    assert_eq!(*ends.lock().unwrap(), [expected]);
}

#[test]
fn span_has_the_peer_although_warp_has_no_remote_address() {
    let tracer = InMemoryTracer::new();
    let routes = warp::addr::remote()
        .map(|peer: Option<std::net::SocketAddr>| format!("{peer:?}"))
        .boxed();
    let server = serve(TracingLayer::new(HttpTracing::new(tracer.clone())), routes);
    assert_eq!(ask(&server, "GET", "/", &[]).text(), "None");
    assert_eq!(
        tracer.wait_for(1, PATIENCE)[0].tag("peer.ipv4"),
        Some(Value::from("127.0.0.1"))
    );
}
