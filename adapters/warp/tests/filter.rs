//! The filter form under `warp::serve`, beyond the contract.

mod server;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use http::header::CONTENT_LENGTH;
use opentracing_http::{FinishedSpan, InMemoryTracer, Outcome, Route, Value};
use opentracing_testkit::app;
use opentracing_testkit::client::{Connection, Response};
use opentracing_testkit::server::Running;
use opentracing_warp::{Attribute, CurrentSpan, HttpTracing, Span, Traced, current_span, route};
use warp::reject::Reject;
use warp::{Filter, Rejection, Reply, reply};

use crate::server::start;

const PATIENCE: Duration = Duration::from_secs(30);
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn traced() -> (HttpTracing, InMemoryTracer) {
    let tracer = InMemoryTracer::new();
    (HttpTracing::new(tracer.clone()), tracer)
}

/// Serves this filter with `warp::serve`.
fn serve<F>(filter: F) -> Running
where
    F: Filter + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Error: Into<Rejection>,
    F::Extract: Send,
{
    let filter = filter.boxed();
    start(move |listener| warp::serve(filter).incoming(listener).run())
}

fn ask(server: &Running, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut connection = Connection::open(server.addr());
    connection.request(method, path, headers);
    connection.response(method).expect("the server answers")
}

fn outcome(span: &FinishedSpan) -> Outcome {
    span.http().expect("a request's span").outcome()
}

fn status(span: &FinishedSpan) -> Option<u16> {
    span.http().expect("a request's span").status()
}

fn current_id() -> String {
    Span::current()
        .context()
        .map(|context| context.span_id().to_string())
        .unwrap_or_default()
}

#[derive(Debug)]
struct Broken;

impl Reject for Broken {}

/// A reply that contains the id of the span that is current while it is created.
struct Late;

impl Reply for Late {
    fn into_response(self) -> reply::Response {
        current_id().into_response()
    }
}

#[test]
fn span_is_current_in_filters_replies_and_streams() {
    let (tracing, tracer) = traced();
    let routes = warp::path("map")
        .and(current_span())
        .map(|span: CurrentSpan| format!("{}", span.context().unwrap().span_id()))
        .or(warp::path("and_then").and_then(|| async {
            app::turn().await;
            Ok::<_, Rejection>(current_id())
        }))
        .or(warp::path("recover")
            .and_then(|| async { Err::<String, _>(warp::reject::custom(Broken)) }))
        .or(warp::path("reply").map(|| Late))
        .or(warp::path("sse").map(|| {
            let events = stream::once(async {
                app::turn().await;
                Ok::<_, Infallible>(warp::sse::Event::default().data(current_id()))
            });
            warp::sse::reply(events)
        }))
        .recover(|_: Rejection| async {
            app::turn().await;
            Ok::<_, Infallible>(current_id())
        })
        .traced(&tracing);
    let server = serve(routes);
    for path in ["/map", "/and_then", "/recover", "/reply", "/sse"] {
        let response = ask(&server, "GET", path, &[]);
        let span = tracer.wait_for(1, PATIENCE).remove(0);
        let id = span.context().span_id().to_string();
        let seen = response.text();
        assert_eq!(seen.trim().trim_start_matches("data:"), id, "{path}");
        assert_eq!(tracer.take().len(), 1, "{path}");
    }
}

#[test]
fn rejections_have_the_status_that_the_client_gets() {
    #[derive(Debug, serde::Deserialize)]
    struct Page {
        page: u32,
    }

    let (tracing, tracer) = traced();
    let routes = warp::path("get")
        .and(warp::get())
        .map(|| "got")
        .or(warp::path("header")
            .and(warp::header::<u32>("x-number"))
            .map(|number| format!("{number}")))
        .or(warp::path("query")
            .and(warp::query())
            .map(|page: Page| page.page.to_string()))
        .or(warp::path("length")
            .and(warp::body::content_length_limit(8))
            .map(|| "short"))
        .or(warp::path("json")
            .and(warp::body::json())
            .map(|page: Page| page.page.to_string()))
        .or(warp::path("ws")
            .and(warp::ws())
            .map(|ws: warp::ws::Ws| ws.on_upgrade(|_| async {})))
        .or(warp::path("cors")
            .map(|| "open")
            .with(warp::cors().allow_origin("https://here.example")))
        .or(warp::path("broken")
            .and_then(|| async { Err::<String, _>(warp::reject::custom(Broken)) }))
        .or(warp::path("missing")
            .and_then(|| async { Err::<String, _>(warp::reject::not_found()) }));
    let server = serve(routes.traced(&tracing));
    for (method, path, headers, expected) in [
        ("GET", "/nowhere", &[][..], 404),
        ("GET", "/missing", &[], 404),
        ("POST", "/get", &[], 405),
        ("GET", "/header", &[], 400),
        ("GET", "/header", &[("x-number", "many")], 400),
        ("GET", "/query?page=x", &[], 400),
        ("POST", "/length", &[], 411),
        (
            "POST",
            "/json",
            &[("content-type", "text/plain"), ("content-length", "0")],
            415,
        ),
        ("POST", "/json", &[("content-length", "0")], 400),
        ("GET", "/ws", &[], 400),
        ("GET", "/cors", &[("origin", "https://there.example")], 403),
        ("GET", "/broken", &[], 500),
    ] {
        let response = ask(&server, method, path, headers);
        assert_eq!(
            response.status,
            expected,
            "{method} {path}: {}",
            response.text()
        );
        let span = tracer.wait_for(1, PATIENCE).remove(0);
        assert_eq!(
            (status(&span), outcome(&span)),
            (Some(expected), Outcome::Completed),
            "{method} {path}"
        );
        assert_eq!(span.is_error(), expected == 500, "{method} {path}");
        assert_eq!(tracer.take().len(), 1, "{method} {path}");
        if expected == 500 {
            let log = &span.logs()[0];
            let message = log
                .fields
                .iter()
                .find(|field| field.key == "message")
                .unwrap();
            assert_eq!(message.value.to_string(), "Rejection(Broken)");
        }
    }
    drop(server);
    tracer.assert_nothing_unfinished();
}

#[test]
fn traced_route_that_does_not_match_has_no_span() {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let tracer = InMemoryTracer::new();
    let noted = ends.clone();
    let tracing = HttpTracing::builder(tracer.clone())
        .on_finish(move |end| noted.lock().unwrap().push(end.status))
        .build()
        .unwrap();
    let get = warp::path("thing")
        .and(warp::get())
        .map(|| "got")
        .traced_route(&tracing);
    let post = warp::path("thing")
        .and(warp::post())
        .map(|| "posted")
        .traced_route(&tracing);
    let broken = warp::path("broken")
        .and_then(|| async { Err::<String, _>(warp::reject::custom(Broken)) })
        .traced_route(&tracing);
    let replies = warp::path("gone")
        .map(|| reply::with_status("gone", http::StatusCode::NOT_FOUND))
        .traced_route(&tracing);
    let server = serve(
        get.or(post)
            .or(broken)
            .or(replies)
            .or(warp::path("free").map(|| "untraced")),
    );
    for (method, path, expected, spans) in [
        ("GET", "/thing", 200, 1),
        ("POST", "/thing", 200, 1),
        ("PUT", "/thing", 405, 0),
        ("GET", "/broken", 500, 1),
        ("GET", "/gone", 404, 1),
        ("GET", "/free", 200, 0),
        ("GET", "/nowhere", 404, 0),
    ] {
        assert_eq!(
            ask(&server, method, path, &[]).status,
            expected,
            "{method} {path}"
        );
        let finished = tracer.take();
        assert_eq!(finished.len(), spans, "{method} {path}: {finished:?}");
        assert!(
            finished.iter().all(|span| status(span) == Some(expected)),
            "{method} {path}"
        );
        let ended = std::mem::take(&mut *ends.lock().unwrap());
        assert_eq!(ended, vec![Some(expected); spans], "{method} {path}");
    }
    drop(server);
    tracer.assert_nothing_unfinished();
}

#[test]
fn only_the_traced_route_that_responds_adds_its_attributes() {
    let (tracing, tracer) = traced();
    let options = |name: &'static str, attribute: Attribute| {
        tracing.mount_point().name(name).attributes([attribute])
    };
    let one = warp::path("one")
        .map(|| "1")
        .traced_route(options("first", Attribute::URL));
    let two = warp::path("two")
        .map(|| "2")
        .traced_route(options("second", Attribute::QUERY));
    let renamed = warp::path("renamed")
        .map(|| {
            Span::current().set_name("by the handler");
            "3"
        })
        .traced_route(options("third", Attribute::PATH));
    let server = serve(one.or(two).or(renamed).traced(&tracing));
    for (path, name, key, value) in [
        (
            "/one?x=1",
            "first",
            "url",
            "http://test.example/one?x=REDACTED",
        ),
        ("/two?x=1", "second", "query", "x=REDACTED"),
        ("/renamed?x=1", "by the handler", "path", "/renamed"),
    ] {
        assert_eq!(ask(&server, "GET", path, &[]).status, 200);
        let span = tracer.wait_for(1, PATIENCE).remove(0);
        assert_eq!(tracer.take().len(), 1);
        assert_eq!(span.name(), name);
        let keys = ["url", "query", "path"];
        let tags: Vec<_> = keys
            .iter()
            .filter_map(|key| Some((*key, span.tag(key)?)))
            .collect();
        assert_eq!(tags, [(key, Value::from(value))], "{path}");
    }
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
            let user = end.span.baggage_item("user");
            noted
                .lock()
                .unwrap()
                .push((end.method.to_owned(), route, end.status, user));
        })
        .build()
        .unwrap();
    let routes = warp::path!("users" / u32)
        .and(route("/users/{id}"))
        .map(|id: u32| {
            Span::current().set_baggage_item("user", "ada");
            format!("{id}")
        });
    let server = serve(routes.traced(&tracing));
    assert_eq!(
        ask(&server, "GET", "/users/7", &[("traceparent", UNSAMPLED)]).status,
        200
    );
    drop(server);
    let expected = (
        "GET".to_owned(),
        "/users/{id}".to_owned(),
        Some(200),
        Some("ada".to_owned()),
    );
    assert_eq!(*ends.lock().unwrap(), [expected]);
}

#[test]
fn traced_files_and_compressed_replies_equal_untraced_ones() {
    let file = std::env::temp_dir().join(format!("opentracing-warp-{}.txt", std::process::id()));
    std::fs::write(&file, "a file of some length\n".repeat(2000)).unwrap();
    let routes = warp::path("file")
        .and(warp::fs::file(file.clone()))
        .or(warp::path("gzip")
            .map(|| "a".repeat(1000))
            .with(warp::filters::compression::gzip()))
        .or(warp::path("sized").map(|| {
            let chunks = stream::iter(["one", "two"].map(Ok::<_, Infallible>));
            reply::with_header(reply::stream(chunks), CONTENT_LENGTH, "6")
        }));
    let (tracing, tracer) = traced();
    let (with, without) = (serve(routes.clone().traced(&tracing)), serve(routes));
    let modified = ask(&without, "GET", "/file", &[])
        .header("last-modified")
        .unwrap()
        .to_owned();
    for (method, path, headers) in [
        ("GET", "/file", &[][..]),
        ("HEAD", "/file", &[]),
        ("GET", "/file", &[("range", "bytes=5-9")]),
        ("GET", "/file", &[("if-modified-since", modified.as_str())]),
        ("GET", "/gzip", &[]),
        ("GET", "/sized", &[]),
        ("HEAD", "/sized", &[]),
    ] {
        let answers = [&with, &without].map(|server| {
            let mut response = ask(server, method, path, headers);
            response.headers.retain(|(name, _)| name != "date");
            response
        });
        assert_eq!(answers[0], answers[1], "{method} {path} {headers:?}");
        let span = tracer.wait_for(1, PATIENCE).remove(0);
        assert_eq!(
            outcome(&span),
            Outcome::Completed,
            "{method} {path} {headers:?}"
        );
        let bytes = span.http().unwrap().body_bytes();
        if method == "GET" && answers[0].status != 304 {
            assert_eq!(
                bytes,
                answers[0].body.len() as u64,
                "{method} {path} {headers:?}"
            );
        }
        assert_eq!(tracer.take().len(), 1);
    }
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful_shutdown_leaves_no_unfinished_span() {
    let (tracing, tracer) = traced();
    let gate = app::Gate::default();
    let waits = gate.clone();
    let routes = warp::path("hang").then(move || {
        let passage = waits.wait();
        async move {
            passage.await;
            "done"
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = warp::serve(routes.traced(&tracing))
        .incoming(listener)
        .graceful(async {
            let _ = stopped.await;
        });
    // The server's future is `Send`.
    let server = tokio::spawn(server.run());
    let client = tokio::task::spawn_blocking(move || {
        let mut connection = Connection::open(addr);
        connection.request("GET", "/hang", &[("connection", "close")]);
        connection
            .response("GET")
            .expect("the server answers")
            .text()
    });
    tokio::task::spawn_blocking({
        let gate = gate.clone();
        move || gate.wait_for_arrivals(1)
    })
    .await
    .unwrap();
    stop.send(()).unwrap();
    gate.open();
    server.await.unwrap();
    assert_eq!(client.await.unwrap(), "done");
    assert_eq!(tracer.take().len(), 1);
    tracer.assert_nothing_unfinished();
}

/// The types that services write for their routes, also with an error that cannot happen.
#[tokio::test]
async fn filters_of_hidden_types_can_be_traced() {
    fn hidden() -> impl Filter<Extract = impl Reply, Error = Rejection> + Clone {
        warp::path("hidden").map(|| "seen")
    }
    fn infallible(
        tracing: &HttpTracing,
    ) -> impl Filter<Extract = (reply::Response,), Error = Infallible> + Clone + 'static {
        let routes = hidden().recover(|_: Rejection| async { Ok::<_, Infallible>("recovered") });
        routes.traced(tracing)
    }
    fn captures_nothing(
        tracing: &HttpTracing,
    ) -> impl Filter<Extract = (reply::Response,), Error = Rejection> + Clone + use<> {
        hidden().traced(tracing.clone())
    }

    let (tracing, tracer) = traced();
    let routes = hidden().traced(&tracing);
    let recovered = infallible(&tracing);
    let captures_nothing = captures_nothing(&tracing);
    drop(tracing);
    for (response, body) in [
        (
            warp::test::request().path("/hidden").reply(&routes).await,
            "seen",
        ),
        (
            warp::test::request()
                .path("/hidden")
                .reply(&captures_nothing)
                .await,
            "seen",
        ),
        (
            warp::test::request().path("/x").reply(&recovered).await,
            "recovered",
        ),
    ] {
        assert_eq!(
            (response.status().as_u16(), &response.body()[..]),
            (200, body.as_bytes())
        );
    }
    assert_eq!(tracer.take().len(), 3);
}

#[test]
fn requests_that_a_filter_makes_have_their_own_spans() {
    use tower::{Layer as _, ServiceExt as _};

    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    let (tracing, tracer) = traced();
    // Not a service of warp, because in a debug build that panics within another filter.
    let inner = tower::service_fn(async |_: http::Request<String>| {
        Ok::<_, Infallible>(http::Response::new(String::new()))
    });
    let inner = opentracing_warp::TracingLayer::new(&tracing).layer(inner);
    let call = move |callers: String| {
        let inner = inner.clone();
        async move {
            for caller in callers.split(',') {
                let mut request = http::Request::get("/inner");
                if caller == "other" {
                    request = request.header("traceparent", CALLER);
                }
                let request = request.body(String::new()).expect("a request");
                let Ok(response) = inner.clone().oneshot(request).await;
                drop(response);
            }
            "done"
        }
    };
    let server = serve(warp::query::raw().then(call).traced(&tracing));

    let headers = [("traceparent", UNSAMPLED)];
    assert_eq!(ask(&server, "GET", "/?other,other", &headers).status, 200);
    let spans = tracer.wait_for(2, PATIENCE);
    let trace = |span: &FinishedSpan| span.context().trace_id().to_string();
    assert!(spans.iter().all(|span| trace(span) == CALLER[3..35]));
    let _ = tracer.take();

    assert_eq!(ask(&server, "GET", "/?fresh", &[]).status, 200);
    let spans = tracer.wait_for(2, PATIENCE);
    assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
    assert_eq!(spans[1].parent_id(), None);
}
