//! Routes mounted through `traced`, with the fairing in both forms.

// Rocket passes guards by value.
#![allow(clippy::needless_pass_by_value)]

mod common;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{PATIENCE, Server, in_memory, one_span, rocket};
use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Value};
use opentracing_rocket::{Attribute, CurrentSpan, Span, SpanEnd, TracingFairing, traced};
use opentracing_testkit::app::{Gate, turn};
use rocket::error::ErrorKind;
use rocket::fs::FileServer;
use rocket::http::uri::Origin;
use rocket::http::{Method, Status};
use rocket::local::blocking::Client;
use rocket::request::{FromRequest, Outcome as Guarded};
use rocket::response::Responder;
use rocket::response::stream::TextStream;
use rocket::{Request, Route, State, async_trait, catch, catchers, get, routes};

/// A guard and a responder that set tags of the current span and of that of `CurrentSpan`.
struct Tagging;

#[async_trait]
impl<'r> FromRequest<'r> for Tagging {
    type Error = Infallible;

    async fn from_request(_: &'r Request<'_>) -> Guarded<Self, Infallible> {
        turn().await;
        Span::current().set_tag("guard", true);
        Span::current().child("of the guard").finish();
        Guarded::Success(Self)
    }
}

impl<'r> Responder<'r, 'static> for Tagging {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        Span::current().set_tag("responder", true);
        "tagged".respond_to(request)
    }
}

#[get("/tags")]
async fn tags(tagging: Tagging, span: CurrentSpan) -> Tagging {
    assert_eq!(
        span.context().map(|context| context.span_id()),
        Span::current().context().map(|context| context.span_id())
    );
    turn().await;
    Span::current().set_tag("handler", true);
    Span::current().child("of the handler").finish();
    tagging
}

/// Calls `run` with each form of the fairing; its first argument is `true` if the fairing traces every request.
fn both(run: impl Fn(bool, InMemoryTracer, HttpTracing, rocket::Rocket<rocket::Build>)) {
    for everything in [true, false] {
        let (tracer, tracing) = in_memory();
        let fairing = match everything {
            true => TracingFairing::new(&tracing),
            false => TracingFairing::only_traced_routes(&tracing),
        };
        run(everything, tracer, tracing, rocket().attach(fairing));
    }
}

#[test]
fn span_is_current_in_guard_handler_and_responder() {
    both(|_, tracer, tracing, rocket| {
        let server = Server::launch(rocket.mount("/in", traced(&tracing, routes![tags])));
        assert_eq!(server.get("/in/tags").text(), "tagged");
        let spans = tracer.wait_for(3, PATIENCE);
        let request = &spans[2];
        assert_eq!(request.name(), "GET /in/tags");
        for key in ["guard", "handler", "responder"] {
            assert_eq!(request.tag(key), Some(Value::from(true)), "{key}");
        }
        for child in &spans[..2] {
            assert_eq!(
                child.parent_id(),
                Some(request.context().span_id()),
                "{}",
                child.name()
            );
        }
        drop(server);
        tracer.assert_nothing_unfinished();
    });
}

#[get("/stream")]
fn stream() -> TextStream![&'static str] {
    TextStream! {
        for word in ["one", "two"] {
            turn().await;
            Span::current().child("word").finish();
            yield word;
        }
    }
}

#[test]
fn span_is_current_in_the_body_and_ends_with_it() {
    both(|_, tracer, tracing, rocket| {
        let server = Server::launch(rocket.mount("/", traced(&tracing, routes![stream])));
        assert_eq!(server.get("/stream").text(), "onetwo");
        let spans = tracer.wait_for(3, PATIENCE);
        assert_eq!(spans[2].http().unwrap().body_bytes(), 6);
        assert_eq!(spans[0].parent_id(), Some(spans[2].context().span_id()));
    });
}

#[test]
fn mount_point_of_a_route_sets_the_end_of_its_spans() {
    both(|_, tracer, tracing, rocket| {
        let routes = traced(
            tracing.mount_point().ends(SpanEnd::Head).name("words"),
            routes![stream],
        );
        let server = Server::launch(rocket.mount("/", routes));
        assert_eq!(server.get("/stream").text(), "onetwo");
        let spans = tracer.wait_for(3, PATIENCE);
        assert_eq!(
            (spans[0].name(), spans[0].http().unwrap().body_bytes()),
            ("words", 0)
        );
    });
}

#[get("/plain")]
fn plain() -> &'static str {
    "plain"
}

#[test]
fn attributes_of_a_route_that_is_traced_twice_are_added_once() {
    both(|_, tracer, tracing, rocket| {
        // The routes are traced twice, which a service can do by mistake.
        let routes = traced(
            tracing
                .mount_point()
                .attributes([Attribute::URL, Attribute::METHOD]),
            routes![plain],
        );
        let routes = traced(
            tracing.mount_point().attributes([Attribute::USER_AGENT]),
            routes,
        );
        let server = Server::launch(rocket.mount("/", routes));
        server.send("GET", "/plain?a=1", &[("user-agent", "curl")]);
        drop(server);
        let span = one_span(&tracer);
        for (key, value) in [
            ("url", "http://test.example/plain?a=REDACTED"),
            ("method", "GET"),
            ("user_agent", "curl"),
        ] {
            assert_eq!(span.tag(key), Some(Value::from(value)), "{key}");
        }
    });
}

#[test]
fn head_request_has_its_method_and_a_complete_body() {
    both(|_, tracer, tracing, rocket| {
        let routes = traced(
            tracing.mount_point().attributes([Attribute::METHOD]),
            routes![plain, stream],
        );
        let server = Server::launch(rocket.mount("/", routes));
        for (path, length) in [("/plain", Some("5")), ("/stream", None)] {
            assert_eq!(
                server.send("HEAD", path, &[]).header("content-length"),
                length
            );
            let span = one_span(&tracer);
            assert_eq!(span.name(), format!("HEAD {path}"));
            assert_eq!(span.tag("method"), Some(Value::from("HEAD")));
            assert_eq!(span.http().unwrap().outcome(), Outcome::Completed);
        }
    });
}

#[get("/unavailable")]
fn unavailable() -> Result<(), Status> {
    Err(Status::ServiceUnavailable)
}

#[catch(503)]
fn rewritten() -> (Status, &'static str) {
    (Status::ImATeapot, "tea instead")
}

#[test]
fn error_has_the_status_of_its_catcher() {
    both(|_, tracer, tracing, rocket| {
        let rocket = rocket.register("/", catchers![rewritten]);
        let server = Server::launch(rocket.mount("/", traced(&tracing, routes![unavailable])));
        assert_eq!(server.get("/unavailable").status, 418);
        let span = one_span(&tracer);
        let http = span.http().unwrap();
        assert_eq!(
            (http.status(), http.outcome(), span.is_error()),
            (Some(418), Outcome::Completed, false)
        );
    });
}

#[get("/panic")]
async fn panics() {
    turn().await;
    panic!("as asked for");
}

/// A handler that panics when it is called, before it returns a future.
#[derive(Clone)]
struct PanicsAtOnce;

#[async_trait]
impl rocket::route::Handler for PanicsAtOnce {
    fn handle<'r, 's, 'q, 'f>(
        &'s self,
        _: &'r Request<'q>,
        _: rocket::Data<'r>,
    ) -> rocket::route::BoxFuture<'f, rocket::route::Outcome<'r>>
    where
        'r: 'f,
        's: 'f,
        'q: 'f,
        Self: 'f,
    {
        panic!("as asked for");
    }
}

#[test]
fn panic_in_a_traced_route_has_the_outcome_panicked() {
    both(|everything, tracer, tracing, rocket| {
        let mut routes = routes![panics];
        routes.push(Route::new(Method::Get, "/at-once", PanicsAtOnce));
        let server = Server::launch(rocket.mount("/", traced(&tracing, routes)));
        for path in ["/panic", "/at-once"] {
            assert_eq!(server.get(path).status, 500);
            let span = one_span(&tracer);
            let http = span.http().unwrap();
            assert_eq!(
                (http.status(), http.outcome()),
                (Some(500), Outcome::Panicked),
                "{everything}"
            );
            assert_eq!(span.name(), format!("GET {path}"));
            tracer.assert_nothing_unfinished();
        }
    });
}

/// A guard that forwards every request.
struct Nobody;

#[async_trait]
impl<'r> FromRequest<'r> for Nobody {
    type Error = Infallible;

    async fn from_request(_: &'r Request<'_>) -> Guarded<Self, Infallible> {
        Span::current().child("nobody").finish();
        Guarded::Forward(Status::Unauthorized)
    }
}

#[get("/door")]
fn admin(_nobody: Nobody) -> &'static str {
    "never"
}

#[get("/door", rank = 2)]
fn door(span: CurrentSpan) -> String {
    format!("{}", span.is_none())
}

#[test]
fn request_that_is_forwarded_to_a_traced_route_has_one_span() {
    both(|_, tracer, tracing, rocket| {
        let server = Server::launch(rocket.mount("/", traced(&tracing, routes![admin, door])));
        assert_eq!(server.get("/door").text(), "false");
        let spans = tracer.wait_for(2, PATIENCE);
        assert_eq!(spans.len(), 2, "{spans:#?}");
        assert_eq!((spans[0].name(), spans[1].name()), ("nobody", "GET /door"));
        assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
        tracer.assert_nothing_unfinished();
    });
}

#[test]
fn request_that_is_forwarded_to_an_untraced_route_has_no_span_if_only_traced_routes_are_recorded() {
    both(|everything, tracer, tracing, rocket| {
        let rocket = rocket
            .mount("/", traced(&tracing, routes![admin]))
            .mount("/", routes![door]);
        let server = Server::launch(rocket);
        assert_eq!(server.get("/door").text(), (!everything).to_string());
        drop(server);
        let requests: Vec<_> = tracer
            .take()
            .into_iter()
            .filter(|span| span.http().is_some())
            .collect();
        assert_eq!(requests.len(), usize::from(everything), "{requests:#?}");
        tracer.assert_nothing_unfinished();
    });
}

#[test]
fn forwarded_request_without_another_route_is_named_after_the_last_traced_route() {
    both(|_, tracer, tracing, rocket| {
        let server = Server::launch(rocket.mount("/", traced(&tracing, routes![admin])));
        assert_eq!(server.get("/door").status, 401);
        drop(server);
        let request = tracer.take().into_iter().find(|span| span.http().is_some());
        let request = request.expect("a span");
        assert_eq!(
            (request.name(), request.http().unwrap().status()),
            ("GET /door", Some(401))
        );
        tracer.assert_nothing_unfinished();
    });
}

#[test]
fn untraced_request_is_not_sampled_if_only_traced_routes_are_recorded() {
    let started = Arc::new(AtomicUsize::new(0));
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .on_start({
            let started = started.clone();
            move |_, _| {
                started.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let rocket = rocket()
        .attach(TracingFairing::only_traced_routes(&tracing))
        .mount("/", traced(&tracing, routes![plain]))
        .mount("/", routes![door]);
    let server = Server::launch(rocket);
    // One connection, so that a request could use state of the request before it.
    let mut connection = server.connect();
    for (method, path) in [
        ("GET", "/door"),
        ("GET", "/none"),
        ("HEAD", "/door"),
        ("GET", "/plain"),
        ("HEAD", "/plain"),
        ("GET", "/door"),
        ("GET", "/plain"),
    ] {
        connection.request(method, path, &[]);
        assert!(connection.response(method).is_some());
    }
    drop(server);
    assert_eq!(started.load(Ordering::Relaxed), 3);
    let spans = tracer.take();
    let names: Vec<_> = spans.iter().map(|span| span.name()).collect();
    assert_eq!(names, ["GET /plain", "HEAD /plain", "GET /plain"]);
    tracer.assert_nothing_unfinished();
}

#[test]
fn clones_of_a_local_request_have_their_own_spans() {
    both(|everything, tracer, tracing, rocket| {
        let rocket = rocket
            .mount("/", traced(&tracing, routes![plain]))
            .mount("/", routes![door]);
        let client = Client::untracked(rocket).unwrap();
        let mut request = client.get("/plain");
        for (method, path) in [
            (Method::Head, "/door"),
            (Method::Get, "/plain"),
            (Method::Get, "/none"),
            (Method::Head, "/plain"),
            (Method::Get, "/plain"),
        ] {
            request.set_method(method);
            request.set_uri(Origin::parse(path).unwrap());
            request.clone().dispatch().into_bytes();
        }
        let spans = tracer.take();
        let names: Vec<_> = spans.iter().map(|span| span.name()).collect();
        let expected: &[&str] = match everything {
            true => &[
                "HEAD /door",
                "GET /plain",
                "GET",
                "HEAD /plain",
                "GET /plain",
            ],
            false => &["GET /plain", "HEAD /plain", "GET /plain"],
        };
        assert_eq!(names, expected);
        tracer.assert_nothing_unfinished();
    });
}

#[test]
fn policy_of_the_fairing_is_used_and_the_route_adds_its_options() {
    let (of_route, route_policy) = in_memory();
    both(|_, tracer, _, rocket| {
        let mount_point = route_policy
            .mount_point()
            .attributes([Attribute::METHOD])
            .name("plain");
        let server = Server::launch(rocket.mount("/", traced(mount_point, routes![plain])));
        server.get("/plain");
        let span = one_span(&tracer);
        assert_eq!(span.name(), "plain");
        assert_eq!(span.tag("method"), Some(Value::from("GET")));
    });
    assert!(of_route.finished().is_empty());
}

#[test]
fn file_server_can_be_traced() {
    both(|_, tracer, tracing, rocket| {
        let files = traced(&tracing, FileServer::from(env!("CARGO_MANIFEST_DIR")));
        let server = Server::launch(rocket.mount("/files", files));
        let expected =
            std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
        let response = server.get("/files/Cargo.toml");
        assert_eq!(
            response.header("content-length"),
            Some(expected.len().to_string().as_str())
        );
        assert_eq!(response.body, expected);
        let span = one_span(&tracer);
        assert_eq!(span.name(), "GET /files/<path..>");
        assert_eq!(span.http().unwrap().body_bytes(), expected.len() as u64);
        assert_eq!(server.get("/files/none").status, 404);
        assert_eq!(one_span(&tracer).name(), "GET /files/<path..>");
        drop(server);
        tracer.assert_nothing_unfinished();
    });
}

#[get("/state", format = "text/plain", rank = 7)]
fn state(gate: &State<Gate>) {
    gate.open();
}

#[test]
fn traced_route_keeps_its_name_rank_and_sentinels() {
    let (_, tracing) = in_memory();
    let plain: Vec<Route> = routes![state];
    let traced = traced(&tracing, routes![state]);
    assert_eq!(format!("{:?}", plain[0]), format!("{:?}", traced[0]));
    let rocket = || rocket().attach(TracingFairing::new(&tracing));

    let Err(missing) = Client::untracked(rocket().mount("/", traced.clone())) else {
        panic!("the state is missing");
    };
    assert!(
        matches!(missing.kind(), ErrorKind::SentinelAborts(_)),
        "{missing:?}"
    );
    let there = rocket().mount("/", traced).manage(Gate::default());
    assert!(Client::untracked(there).is_ok());
}

#[test]
fn span_of_a_request_that_is_not_recorded_is_current_in_the_body() {
    #[get("/baggage")]
    fn baggage(span: CurrentSpan) -> TextStream![String] {
        Span::current().set_baggage_item("user", "ada");
        let seen = span.baggage_item("user").unwrap_or_default();
        TextStream! {
            yield seen;
            yield format!(" {}", Span::current().baggage_item("user").unwrap_or_default());
        }
    }

    both(|_, tracer, tracing, rocket| {
        let server = Server::launch(rocket.mount("/", traced(&tracing, routes![baggage])));
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let response = server.send("GET", "/baggage", &[("traceparent", unsampled)]);
        assert_eq!(response.text(), "ada ada");
        assert!(tracer.finished().is_empty());
    });
}

#[test]
fn concurrent_requests_have_their_own_spans() {
    #[get("/mark/<n>")]
    async fn mark(n: u32) -> &'static str {
        for _ in 0..20 {
            turn().await;
            let span = Span::current();
            span.set_tag("n", i64::from(n));
        }
        "marked"
    }

    both(|_, tracer, tracing, rocket| {
        let rocket = rocket.mount("/", traced(&tracing, routes![mark]));
        common::multi_thread().block_on(async {
            let client = rocket::local::asynchronous::Client::untracked(rocket)
                .await
                .unwrap();
            let requests = (0..500).map(|n| client.get(format!("/mark/{n}")).dispatch());
            for response in rocket::futures::future::join_all(requests).await {
                assert_eq!(response.into_string().await.unwrap(), "marked");
            }
        });
        let spans = tracer.take();
        assert_eq!(spans.len(), 500);
        for span in &spans {
            let path = span.http().unwrap().path();
            assert_eq!(
                span.tag("n").unwrap().as_i64(),
                path["/mark/".len()..].parse().ok(),
                "{path}"
            );
        }
    });
}

#[get("/other")]
fn other() -> &'static str {
    "other"
}

#[test]
fn traced_routes_launch_with_a_fairing_that_is_attached_after_them() {
    let (tracer, tracing) = in_memory();
    for fairing in [
        TracingFairing::new(&tracing),
        TracingFairing::only_traced_routes(&tracing),
    ] {
        let rocket = rocket()
            .mount("/", traced(&tracing, routes![plain]))
            // Two lists at one base, and one route that is traced twice.
            .mount("/", traced(&tracing, traced(&tracing, routes![other])))
            .attach(fairing);
        let client = Client::untracked(rocket).expect("it launches");
        for path in ["/plain", "/other"] {
            let body = client.get(path).dispatch().into_string();
            assert_eq!(body.as_deref(), path.strip_prefix('/'));
            assert_eq!(one_span(&tracer).name(), format!("GET {path}"));
        }
    }
}

#[test]
fn route_of_the_sentinel_gets_no_request() {
    let (tracer, tracing) = in_memory();
    let rocket = rocket()
        .attach(TracingFairing::only_traced_routes(&tracing))
        .mount("/", traced(&tracing, routes![plain]));
    let client = Client::untracked(rocket).expect("it launches");
    let connect = client.req(Method::Connect, "/");
    assert_eq!(connect.dispatch().status(), Status::NotFound);
    assert!(tracer.finished().is_empty());
}
