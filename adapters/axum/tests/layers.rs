//! The positions that a layer can have in axum, and what its spans contain there.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode, header};
use axum::routing::{get, post};
use axum::{Router, ServiceExt};
use opentracing_axum::{Attribute, CurrentSpan, HttpTracing, TracingLayer};
use opentracing_http::{FinishedSpan, InMemoryTracer, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tower::util::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_layer::Layer as _;

fn tracing() -> (InMemoryTracer, HttpTracing) {
    let tracer = InMemoryTracer::new();
    (tracer.clone(), HttpTracing::new(tracer))
}

fn only(tracer: &InMemoryTracer) -> FinishedSpan {
    tracer.assert_nothing_unfinished();
    let mut spans = tracer.take();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

async fn answer(app: &Router, method: &str, path: &str) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    axum::body::to_bytes(response.into_body(), 1024)
        .await
        .unwrap();
    status
}

#[tokio::test]
async fn template_of_a_nested_route_is_whole() {
    let (tracer, tracing) = tracing();
    let users = Router::new().route("/users/{id}", get(async |Path(id): Path<String>| id));
    let app = Router::new()
        .nest(
            "/api/{version}",
            Router::new().route("/items/{id}", get(async || "item")),
        )
        .nest("/v1", users.clone().layer(TracingLayer::new(&tracing)))
        .nest_service("/service", users.layer(TracingLayer::new(&tracing)))
        .layer(TracingLayer::new(&tracing));
    for (path, name) in [
        ("/api/7/items/8", "GET /api/{version}/items/{id}"),
        ("/v1/users/8", "GET /v1/users/{id}"),
        ("/service/users/8", "GET /service/users/{id}"),
        ("/nowhere", "GET"),
    ] {
        answer(&app, "GET", path).await;
        let span = only(&tracer);
        assert_eq!(span.name(), name, "{path}");
    }
}

#[tokio::test]
async fn layer_around_the_whole_router_gets_the_route_from_an_inner_layer() {
    let (tracer, tracing) = tracing();
    let route = get(async || "hello").layer(TracingLayer::new(
        tracing.mount_point().attributes([Attribute::URL]),
    ));
    let router = Router::new().route("/hello/{name}", route);
    let service = TracingLayer::new(&tracing).layer(router);
    // It can be served, because its body is axum's own.
    let _ = ServiceExt::<Request<Body>>::into_make_service(service.clone());
    let request = Request::get("/hello/ada").body(Body::empty()).unwrap();
    drop(service.oneshot(request).await.unwrap().into_body());
    let span = only(&tracer);
    assert_eq!(span.name(), "GET /hello/{name}");
    assert_eq!(span.tag("url").unwrap(), "/hello/ada");
}

#[tokio::test]
async fn method_routers_cover_their_405_and_route_layers_do_not() {
    let (tracer, tracing) = tracing();
    let layer = || TracingLayer::new(&tracing);
    let app = Router::new()
        .route("/layered", get(async || "x").layer(layer()))
        .route(
            "/partly",
            get(async || "x").layer(layer()).post(async || "y"),
        )
        .route("/route-layered", get(async || "x").route_layer(layer()));
    assert_eq!(
        answer(&app, "DELETE", "/layered").await,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let span = only(&tracer);
    assert_eq!(
        (span.name(), span.tag("http.status_code")),
        ("DELETE /layered", Some(405.into()))
    );
    answer(&app, "POST", "/partly").await;
    assert_eq!(
        answer(&app, "DELETE", "/route-layered").await,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert!(tracer.finished().is_empty());
    answer(&app, "GET", "/route-layered").await;
    assert_eq!(only(&tracer).name(), "GET /route-layered");
}

#[tokio::test]
async fn rejections_and_fallbacks_have_the_status_the_client_got() {
    let (tracer, tracing) = tracing();
    let app = Router::new()
        .route(
            "/numbers/{n}",
            get(async |Path(n): Path<u32>| n.to_string()),
        )
        .route("/posts", post(async || "posted"))
        .fallback(async || (StatusCode::IM_A_TEAPOT, "no such thing"))
        .layer(TracingLayer::new(&tracing));
    for (method, path, name, status) in [
        ("GET", "/numbers/x", "GET /numbers/{n}", 400),
        ("GET", "/posts", "GET /posts", 405),
        ("GET", "/nowhere", "GET", 418),
    ] {
        answer(&app, method, path).await;
        let span = only(&tracer);
        assert_eq!(
            (span.name(), span.tag("http.status_code")),
            (name, Some(status.into()))
        );
        assert!(!span.is_error());
    }
}

#[tokio::test]
async fn extractors_never_fail_and_the_optional_one_is_none_without_a_span() {
    async fn handler(span: CurrentSpan, maybe: Option<CurrentSpan>) -> String {
        format!("{} {}", span.is_recording(), maybe.is_some())
    }
    let (tracer, tracing) = tracing();
    let app = Router::new().route("/", get(handler));
    let body = async |app: Router| {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), 64)
            .await
            .unwrap()
    };
    assert_eq!(body(app.clone()).await, "false false");
    assert_eq!(
        body(app.layer(TracingLayer::new(&tracing))).await,
        "true true"
    );
    only(&tracer);
}

/// Serves an app until the sender is dropped. Returns its address, the sender and the server's task.
async fn serve(app: Router) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        let graceful = axum::serve(listener, app)
            .with_graceful_shutdown(async { stopped.await.unwrap_or(()) });
        graceful.await.unwrap();
    });
    (addr, stop, served)
}

#[tokio::test]
async fn graceful_shutdown_leaves_no_unfinished_span() {
    let (tracer, tracing) = tracing();
    let (arrived, mut arrivals) = mpsc::channel(1);
    let release = Arc::new(Notify::new());
    let app = Router::new()
        .route(
            "/",
            get(async move |State(release): State<Arc<Notify>>| {
                arrived.send(()).await.unwrap();
                release.notified().await;
                "late"
            }),
        )
        .with_state(release.clone())
        .layer(TracingLayer::new(&tracing));
    let (addr, stop, served) = serve(app).await;
    let mut client = TcpStream::connect(addr).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    arrivals.recv().await.unwrap();
    drop(stop);
    release.notify_one();
    served.await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.ends_with("late"), "{response}");
    assert_eq!(only(&tracer).http().unwrap().outcome(), Outcome::Completed);
    assert!(tracing.flush(Duration::from_secs(5)).is_complete());
}

#[tokio::test]
async fn panic_that_is_caught_inside_is_a_500() {
    let (tracer, tracing) = tracing();
    let app = Router::new()
        .route("/", get(async || -> String { panic!("as asked for") }))
        .layer(CatchPanicLayer::new())
        .layer(TracingLayer::new(&tracing));
    assert_eq!(
        answer(&app, "GET", "/").await,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    let span = only(&tracer);
    let http = span.http().unwrap();
    assert_eq!(
        (http.outcome(), http.status(), span.is_error()),
        (Outcome::Completed, Some(500), true)
    );
}

#[tokio::test]
async fn compressed_body_is_traced_inside_and_outside_of_the_compression() {
    let (tracer, tracing) = tracing();
    let plain = || Router::new().route("/", get(async || "spans and more spans, ".repeat(500)));
    let (traced, gzip) = (TracingLayer::new(&tracing), CompressionLayer::new());
    let read = async |app: Router| {
        let request = Request::get("/")
            .header("accept-encoding", "gzip")
            .body(Body::empty())
            .unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
    };
    let untraced = read(plain().layer(gzip.clone())).await;
    for (app, sent) in [
        (
            plain().layer(gzip.clone()).layer(traced.clone()),
            untraced.len(),
        ),
        (plain().layer(traced).layer(gzip), 22 * 500),
    ] {
        assert_eq!(read(app).await, untraced);
        let span = only(&tracer);
        let http = span.http().unwrap();
        assert_eq!(
            (http.outcome(), http.body_bytes()),
            (Outcome::Completed, sent as u64)
        );
    }
}

#[tokio::test]
async fn requests_that_a_handler_makes_have_their_own_spans() {
    const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    async fn call(State(inner): State<Router>, Path(callers): Path<String>) -> StatusCode {
        for caller in callers.split(',') {
            let mut request = Request::get("/inner/7");
            if caller == "other" {
                request = request.header("traceparent", CALLER);
            }
            let response = inner.clone().oneshot(request.body(Body::empty()).unwrap());
            assert_eq!(response.await.unwrap().status(), StatusCode::OK);
        }
        StatusCode::OK
    }

    let tracer = InMemoryTracer::new();
    let ends = Arc::new(AtomicU64::new(0));
    let tracing = {
        let ends = ends.clone();
        HttpTracing::builder(tracer.clone())
            .on_finish(move |_| _ = ends.fetch_add(1, Ordering::Relaxed))
            .build()
            .unwrap()
    };
    let inner = Router::new()
        .route("/inner/{id}", get(async || ()))
        .layer(TracingLayer::new(&tracing));
    let app = Router::new()
        .route("/call/{callers}", get(call))
        .with_state(inner)
        .layer(TracingLayer::new(&tracing));

    let batch = Request::get("/call/other,other,other")
        .header("traceparent", UNSAMPLED)
        .body(Body::empty())
        .unwrap();
    drop(app.clone().oneshot(batch).await.unwrap());
    assert_eq!(
        (tracer.take().len(), ends.swap(0, Ordering::Relaxed)),
        (3, 4)
    );

    answer(&app, "GET", "/call/fresh").await;
    tracer.assert_nothing_unfinished();
    let spans = tracer.take();
    assert_eq!((spans.len(), ends.load(Ordering::Relaxed)), (2, 2));
    assert_eq!(spans[0].name(), "GET /inner/{id}");
    assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
}
