//! The layer in a service: axum over a socket, with the layer installed beside a formatting layer.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::HeaderMap;
use opentracing_axum::TracingLayer;
use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, NoopTracer, Outcome, Span};
use opentracing_testkit::client::Connection;
use opentracing_tracing::SpanLayer;
use tokio::sync::oneshot;
use tower_http::trace::{DefaultMakeSpan, DefaultOnRequest, TraceLayer};
use tracing::{Dispatch, Instrument, Level, info, info_span, instrument};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// How long a span may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: (&str, &str) = (
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
);
const UNSAMPLED: (&str, &str) = (
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
);

/// A server on a thread of its own, with a subscriber of its own.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start(subscriber: impl Into<Dispatch>, app: Router) -> Self {
        let (subscriber, (stop, stopped)) = (subscriber.into(), oneshot::channel());
        let (ready, address) = mpsc::channel();
        let thread = thread::spawn(move || {
            tracing::dispatcher::with_default(&subscriber, || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_io()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                    ready.send(listener.local_addr().unwrap()).unwrap();
                    let serve = axum::serve(listener, app);
                    let stopped = async {
                        let _ = stopped.await;
                    };
                    serve.with_graceful_shutdown(stopped).await.unwrap();
                });
            });
        });
        Self {
            address: address.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns the body of the response.
    fn get(&self, path: &str, context: (&str, &str)) -> String {
        let mut connection = Connection::open(self.address);
        connection.request("GET", path, &[context]);
        let response = connection.response("GET").unwrap();
        assert_eq!(response.status, 200);
        response.text()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

/// The layer beside one that formats everything and writes nothing.
fn subscriber() -> Dispatch {
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let subscriber = tracing_subscriber::registry()
        .with(format)
        .with(opentracing_tracing::layer());
    Dispatch::new(subscriber)
}

/// Returns the `traceparent` of an outgoing call.
fn outgoing() -> String {
    let mut headers = HeaderMap::new();
    Span::current().inject(&mut headers);
    let header = headers.get("traceparent");
    header.map_or_else(String::new, |header| header.to_str().unwrap().to_owned())
}

fn id_of(traceparent: &str) -> &str {
    traceparent.split('-').nth(2).unwrap()
}

#[instrument]
async fn order(item: u32) -> String {
    tokio::task::yield_now().await;
    stock(item).await
}

#[instrument(fields(step = "stock"))]
async fn stock(item: u32) -> String {
    let before = outgoing();
    tokio::task::yield_now().await;
    info!(item, "asking");
    let ours = Span::current().child("ours");
    ours.in_scope(|| info_span!("theirs").in_scope(|| {}));
    assert_eq!(before, outgoing());
    before
}

fn app(tracing: &HttpTracing) -> Router {
    Router::new()
        .route("/order", get(|| order(7)))
        .layer(TracingLayer::new(tracing))
}

fn named<'a>(spans: &'a [FinishedSpan], name: &str) -> &'a FinishedSpan {
    let mut found = spans.iter().filter(|span| span.name() == name);
    let span = found.next().unwrap_or_else(|| panic!("no span {name}"));
    assert!(found.next().is_none(), "two spans {name}");
    span
}

fn assert_parent(spans: &[FinishedSpan], child: &str, parent: &str) {
    let (child, parent) = (named(spans, child), named(spans, parent));
    assert_eq!(child.parent_id(), Some(parent.context().span_id()));
    assert_eq!(child.context().trace_id(), parent.context().trace_id());
    assert!(parent.start() <= child.start());
    assert!(child.end() <= parent.end());
}

#[test]
fn instrumented_functions_are_children_and_the_innermost_is_sent() {
    let tracer = InMemoryTracer::new();
    let server = Server::start(subscriber(), app(&HttpTracing::new(tracer.clone())));
    let sent = server.get("/order", SAMPLED);

    let spans = tracer.wait_for(5, PATIENCE);
    assert_eq!(spans.len(), 5);
    assert_parent(&spans, "order", "GET /order");
    assert_parent(&spans, "stock", "order");
    assert_parent(&spans, "ours", "stock");
    assert_parent(&spans, "theirs", "ours");
    let stock = named(&spans, "stock");
    assert_eq!(id_of(&sent), stock.context().span_id().to_string());
    assert_eq!(stock.context().trace_id().to_string(), TRACE);
    assert_eq!(stock.tag("item").unwrap().as_i64(), Some(7));
    assert_eq!(stock.tag("step").unwrap(), "stock");
    assert_eq!(stock.logs().len(), 1);
    assert_eq!(
        named(&spans, "GET /order").http().unwrap().outcome(),
        Outcome::Completed
    );
    tracer.assert_nothing_unfinished();
}

#[test]
fn unsampled_request_sends_its_own_context_and_records_nothing() {
    let tracer = InMemoryTracer::new();
    let handler = || async { format!("{} {}", outgoing(), order(7).await) };
    let app_of = |tracing: &HttpTracing| {
        let routes = Router::new().route("/order", get(handler));
        routes.layer(TracingLayer::new(tracing))
    };
    let server = Server::start(subscriber(), app_of(&HttpTracing::new(tracer.clone())));
    let sent = server.get("/order", UNSAMPLED);
    let (request, innermost) = sent.split_once(' ').unwrap();
    assert_eq!(request, innermost);
    assert!(
        sent.starts_with(&format!("00-{TRACE}-")) && sent.ends_with("-00"),
        "{sent}"
    );
    drop(server);
    assert!(tracer.finished().is_empty());

    let server = Server::start(subscriber(), app(&HttpTracing::new(NoopTracer)));
    assert_eq!(server.get("/order", SAMPLED), SAMPLED.1);
}

#[test]
fn request_has_its_span_whatever_the_layer_and_its_filter_are() {
    let off = || SpanLayer::new().with_filter(LevelFilter::OFF);
    let registry = tracing_subscriber::registry;
    let subscribers = [
        Dispatch::none(),
        Dispatch::new(registry()),
        Dispatch::new(registry().with(off())),
        // A filter of the whole registry.
        Dispatch::new(
            registry()
                .with(LevelFilter::OFF)
                .with(opentracing_tracing::layer()),
        ),
    ];
    for subscriber in subscribers {
        let tracer = InMemoryTracer::new();
        let server = Server::start(subscriber, app(&HttpTracing::new(tracer.clone())));
        let sent = server.get("/order", SAMPLED);
        // The request's own, and the one that the handler starts with the core's interface.
        let spans = tracer.wait_for(2, PATIENCE);
        assert_eq!(spans.len(), 2);
        assert_parent(&spans, "ours", "GET /order");
        assert_eq!(
            id_of(&sent),
            named(&spans, "GET /order").context().span_id().to_string()
        );
    }
}

#[test]
fn filter_chooses_spans_by_target_and_leaves_other_layers_alone() {
    let tracer = InMemoryTracer::new();
    let target = format!("{}=off", module_path!());
    let others = target
        .parse::<Targets>()
        .unwrap()
        .with_default(LevelFilter::TRACE);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(lines.clone()))
        .with(SpanLayer::new().with_filter(others));
    let server = Server::start(subscriber, app(&HttpTracing::new(tracer.clone())));
    server.get("/order", SAMPLED);
    let spans = tracer.wait_for(2, PATIENCE);
    assert_eq!(spans.len(), 2);
    assert!(named(&spans, "GET /order").logs().iter().all(|log| {
        let mut fields = log.fields.iter();
        fields.all(|field| field.value != "asking")
    }));
    drop(server);
    assert!(lines.text().contains("asking"));
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn default_does_not_switch_off_what_other_layers_get() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(lines.clone()))
        .with(opentracing_tracing::layer());
    tracing::subscriber::with_default(subscriber, || tracing::trace!("fine detail"));
    assert!(lines.text().contains("fine detail"));
}

#[test]
fn span_of_a_task_outlives_its_request() {
    let tracer = InMemoryTracer::new();
    let (go, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let wait = std::sync::Arc::new(wait);
    let handler = move || {
        let wait = wait.lock().unwrap().take().unwrap();
        async move {
            let mail = async move {
                wait.await.unwrap();
                info_span!("connect").in_scope(|| info!("sent"));
                outgoing()
            };
            let sent = tokio::spawn(mail.instrument(info_span!("mail")));
            tokio::spawn(async move {
                let sent = sent.await.unwrap();
                Span::current().set_tag("nobody's", &*sent);
            });
            "accepted"
        }
    };
    let app = Router::new()
        .route("/order", get(handler))
        .layer(TracingLayer::new(HttpTracing::new(tracer.clone())));
    let server = Server::start(subscriber(), app);
    server.get("/order", SAMPLED);
    let request = tracer.wait_for(1, PATIENCE);
    assert_eq!(request.len(), 1);
    go.send(()).unwrap();
    let spans = tracer.wait_for(3, PATIENCE);
    let (request, mail) = (named(&spans, "GET /order"), named(&spans, "mail"));
    assert_eq!(mail.parent_id(), Some(request.context().span_id()));
    assert!(mail.end() >= request.end());
    assert_parent(&spans, "connect", "mail");
    assert_eq!(named(&spans, "connect").logs().len(), 1);
    drop(server);
    tracer.assert_nothing_unfinished();
    assert_eq!(tracer.finished().len(), 3);
}

#[test]
fn unsampled_request_stays_unsampled_in_its_tasks() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let handler = || async {
        let task = async {
            let work = async { outgoing() };
            work.instrument(info_span!("inner")).await
        };
        tokio::spawn(task.instrument(info_span!("task")))
            .await
            .unwrap()
    };
    let app = Router::new()
        .route("/order", get(handler))
        .layer(TracingLayer::new(&tracing));
    // Even where spans outside of requests are traced.
    let layer = SpanLayer::new()
        .roots(&tracing)
        .with_filter(Targets::new().with_target(module_path!(), LevelFilter::INFO));
    let server = Server::start(tracing_subscriber::registry().with(layer), app);
    let sent = server.get("/order", UNSAMPLED);
    assert!(
        sent.starts_with(&format!("00-{TRACE}-")) && sent.ends_with("-00"),
        "{sent}"
    );
    drop(server);
    assert!(tracer.finished().is_empty());
}

#[test]
fn spans_of_a_library_are_children() {
    let tracer = InMemoryTracer::new();
    // tower-http's own spans and events, opened inside of the request.
    let theirs = TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
        .on_request(DefaultOnRequest::new().level(Level::INFO));
    let app = Router::new()
        .route("/order", get(|| order(7)))
        .layer(theirs)
        .layer(TracingLayer::new(HttpTracing::new(tracer.clone())));
    let server = Server::start(subscriber(), app);
    let sent = server.get("/order", SAMPLED);
    let spans = tracer.wait_for(6, PATIENCE);
    assert_parent(&spans, "request", "GET /order");
    assert_parent(&spans, "order", "request");
    let theirs = named(&spans, "request");
    assert_eq!(theirs.tag("method").unwrap(), "GET");
    assert_eq!(
        theirs.logs()[0].fields[0].value,
        "started processing request"
    );
    assert_eq!(
        id_of(&sent),
        named(&spans, "stock").context().span_id().to_string()
    );
    drop(server);
    tracer.assert_nothing_unfinished();
}

#[test]
fn library_spans_of_lower_levels_are_left_out_by_default() {
    let tracer = InMemoryTracer::new();
    let app = Router::new()
        .route("/order", get(|| order(7)))
        .layer(TraceLayer::new_for_http())
        .layer(TracingLayer::new(HttpTracing::new(tracer.clone())));
    let server = Server::start(subscriber(), app);
    server.get("/order", SAMPLED);
    let spans = tracer.wait_for(5, PATIENCE);
    assert_parent(&spans, "order", "GET /order");
    assert_eq!(spans.len(), 5);
}
