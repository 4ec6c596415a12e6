//! A service that uses OpenTelemetry's API in its handlers, over a real socket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{
    Span as _, SpanId, TraceContextExt as _, Tracer as _, TracerProvider as _, get_active_span,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SpanData};
use opentracing_axum::TracingLayer;
use opentracing_http::HttpTracing;
use opentracing_opentelemetry::{OpenTelemetryScopes, OpenTelemetryTracer, from_context};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

use crate::received::{Received, value};

/// So many requests are within the handler at the same time, on one thread.
const REQUESTS: usize = 5;

#[derive(Clone)]
struct App {
    tracing: HttpTracing,
    tracer: SdkTracer,
    together: Arc<Barrier>,
}

async fn user(State(app): State<App>, Path(user): Path<String>) -> &'static str {
    get_active_span(|span| span.set_attribute(KeyValue::new("user", user.clone())));
    let query = Context::current_with_span(app.tracer.start("query"));
    let rows = async {
        app.together.wait().await;
        app.tracer.start("row of theirs").end();
        let parent = from_context(&Context::current()).unwrap();
        let row = app.tracing.span("row of ours").child_of(parent);
        row.start().finish();
    };
    rows.with_context(query.clone()).await;
    let tracing = app.tracing.clone();
    let task = async move { tracing.span("task").start().finish() };
    tokio::spawn(task.with_context(query)).await.unwrap();
    app.together.wait().await;
    app.tracer.start("after all").end();
    "somebody"
}

fn request(address: SocketAddr, user: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET /users/{user} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn spans_of_both_are_one_trace_for_each_of_the_requests_that_a_thread_serves_together() {
    let received = Received::default();
    let tracing = HttpTracing::builder(OpenTelemetryTracer::of_exporter(received.clone()).unwrap())
        .scope_hook(OpenTelemetryScopes::new())
        .build()
        .unwrap();
    let app = App {
        tracing: tracing.clone(),
        // Both send to the same place.
        tracer: received.provider().tracer("app"),
        together: Arc::new(Barrier::new(REQUESTS)),
    };
    let app = Router::new()
        .route("/users/{id}", get(user).layer(TracingLayer::new(&tracing)))
        .layer(TracingLayer::new(&tracing))
        .with_state(app);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let clients = thread::spawn(move || {
            let clients = (0..REQUESTS).map(|user| thread::spawn(move || request(address, user)));
            let clients: Vec<_> = clients.collect();
            for client in clients {
                assert!(client.join().unwrap().ends_with("somebody"));
            }
        });
        tokio::task::spawn_blocking(|| clients.join().unwrap())
            .await
            .unwrap();
        get_active_span(|span| assert!(!span.span_context().is_valid()));
        server.abort();
        let _ = server.await;
    });
    drop(runtime);
    drop(tracing);

    let spans = received.take();
    let requests: Vec<_> = named(&spans, "GET /users/{id}").collect();
    assert_eq!((requests.len(), spans.len()), (REQUESTS, REQUESTS * 6));
    let mut users = Vec::new();
    for request in requests {
        users.extend(value(&request.attributes, "user"));
        assert_eq!(request.parent_span_id, SpanId::INVALID);
        let trace_id = request.span_context.trace_id();
        let of_trace = |name| {
            let mut found =
                named(&spans, name).filter(|span| span.span_context.trace_id() == trace_id);
            let span = found.next().unwrap();
            assert!(found.next().is_none());
            (span.parent_span_id, span.span_context.span_id())
        };
        let id = request.span_context.span_id();
        let (parent, query) = of_trace("query");
        assert_eq!((parent, of_trace("after all").0), (id, id));
        for name in ["row of theirs", "row of ours", "task"] {
            assert_eq!(of_trace(name).0, query, "{name}");
        }
    }
    users.sort();
    assert_eq!(users, ["0", "1", "2", "3", "4"]);
}

fn named<'a>(spans: &'a [SpanData], name: &'a str) -> impl Iterator<Item = &'a SpanData> {
    spans.iter().filter(move |span| span.name == name)
}
