//! Services that lose the route or the peer without an error: the diagnostics hook gets one report, with the remedy.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use opentracing_axum::{
    Attribute, Diagnostic, FinishedSpan, HttpTracing, HttpTracingBuilder, InMemoryTracer, Span,
    TracingLayer,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;
use tower::util::ServiceExt as _;
use tower_layer::Layer as _;
use tower_service::Service;

struct Told {
    tracer: InMemoryTracer,
    diagnostics: Receiver<Diagnostic>,
}

impl Told {
    fn policy(
        change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
    ) -> (Self, HttpTracing) {
        let (tracer, (send, diagnostics)) = (InMemoryTracer::new(), channel());
        let policy = HttpTracing::builder(tracer.clone())
            .on_diagnostic(move |diagnostic| drop(send.send(diagnostic.clone())));
        let told = Self {
            tracer,
            diagnostics,
        };
        (told, change(policy).build().unwrap())
    }

    /// Returns the text of the only report.
    fn only(&self) -> String {
        let told: Vec<_> = self.diagnostics.try_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].to_string()
    }

    fn nothing(&self) {
        let told: Vec<_> = self.diagnostics.try_iter().collect();
        assert!(told.is_empty(), "{told:?}");
    }

    fn span(&self) -> FinishedSpan {
        let mut spans = self.tracer.take();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }
}

fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn send<S>(service: S, path: &str) -> StatusCode
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    service.oneshot(request(path)).await.unwrap().status()
}

#[tokio::test]
async fn layer_around_the_whole_router_is_reported_once() {
    let (told, tracing) = Told::policy(|policy| policy);
    let router = Router::new().route("/users/{id}", get(async || "ada"));
    let around = ServiceBuilder::new()
        .layer(TracingLayer::new(&tracing))
        .service(router);
    assert_eq!(send(around.clone(), "/nowhere").await, 404);
    told.nothing();
    for _ in 0..3 {
        assert_eq!(send(around.clone(), "/users/7").await, 200);
    }
    let text = told.only();
    assert!(
        text.contains("add it with `Router::layer` instead"),
        "{text}"
    );
    assert_eq!(told.tracer.take().pop().unwrap().name(), "GET");
}

#[tokio::test]
async fn layer_around_a_router_of_axum_07_is_reported_once() {
    let (told, tracing) = Told::policy(|policy| policy);
    // `CurrentSpan` is no extractor of axum 0.7, which is an error of the compiler. The current span is there.
    let handler = async || Span::current().is_recording().to_string();
    let old = axum_07::Router::new()
        .route("/users/:id", axum_07::routing::get(handler))
        .layer(TracingLayer::new(&tracing));
    for _ in 0..3 {
        let request = Request::get("/users/7");
        let request = request.body(axum_07::body::Body::empty()).unwrap();
        let response = old.clone().oneshot(request).await.unwrap();
        let body = axum_07::body::to_bytes(response.into_body(), 64).await;
        assert_eq!(body.unwrap(), "true");
    }
    let text = told.only();
    assert!(
        text.contains("if the router is one of axum 0.7, use axum 0.8"),
        "{text}"
    );
    assert_eq!(told.tracer.take().pop().unwrap().name(), "GET");
}

#[tokio::test]
async fn route_that_is_known_or_not_expected_is_not_reported() {
    let (told, tracing) = Told::policy(|policy| policy);
    let layer = || TracingLayer::new(&tracing);
    let route = || get(async || "ada");
    let set = get(async || Span::current().set_route("/users/{id}"));
    let fallback = |_: Request<Body>| async { "a page of its own" };

    let inside = Router::new()
        .route("/users/{id}", route())
        .fallback(fallback);
    let inside = inside.layer(layer());
    for path in ["/users/7", "/nowhere"] {
        assert_eq!(send(inside.clone(), path).await, 200);
    }
    let both = Router::new().route("/users/{id}", route().layer(layer()));
    send(layer().layer(both), "/users/7").await;
    send(
        layer().layer(Router::new().route("/users/{id}", set)),
        "/users/7",
    )
    .await;
    let named = TracingLayer::new(tracing.mount_point().name("users"));
    send(
        named.layer(Router::new().route("/users/{id}", route())),
        "/users/7",
    )
    .await;
    let preflight = Request::builder().method(Method::OPTIONS).uri("/users/7");
    let options = layer().layer(Router::new().fallback(fallback));
    options
        .oneshot(preflight.body(Body::empty()).unwrap())
        .await
        .unwrap();
    told.nothing();
}

/// A service that is no router, such as one that serves files.
#[derive(Clone)]
struct Files;

impl Service<Request<Body>> for Files {
    type Response = Response;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::from("a file"))))
    }
}

#[tokio::test]
async fn nested_service_and_fallback_service_lose_the_route() {
    let (told, tracing) = Told::policy(|policy| policy);
    let app = Router::new()
        .nest_service("/files", Files)
        .fallback_service(Files)
        .layer(TracingLayer::new(&tracing));
    for path in ["/files/a.css", "/nowhere"] {
        send(app.clone(), path).await;
        assert_eq!(told.span().name(), "GET", "{path}");
    }
    // A router has seen them: a fallback's response has no route.
    told.nothing();
}

#[tokio::test]
async fn inner_mount_point_or_the_service_itself_names_the_spans_of_a_nested_service() {
    let (told, tracing) = Told::policy(|policy| policy);
    let named =
        |name: &'static str| TracingLayer::new(tracing.mount_point().name(name)).layer(Files);
    let sets_route = tower::service_fn(|request: Request<Body>| {
        Span::current().set_route("/own/{*file}");
        Files.call(request)
    });
    let users = Router::new().route("/users/{id}", get(async || "ada"));
    let app = Router::new()
        .nest_service("/files", named("GET /files/*"))
        .nest_service("/own", sets_route)
        .nest_service("/api", users.layer(TracingLayer::new(&tracing)))
        .route_service("/one/{id}", Files)
        .nest(
            "/pages",
            Router::new().fallback(async || Span::current().set_name("page")),
        )
        .fallback_service(named("GET page"))
        .layer(TracingLayer::new(&tracing));
    for (path, name) in [
        ("/files/a.css", "GET /files/*"),
        ("/own/a.css", "GET /own/{*file}"),
        ("/api/users/7", "GET /api/users/{id}"),
        ("/one/7", "GET /one/{id}"),
        ("/pages/nowhere", "page"),
        ("/nowhere", "GET page"),
    ] {
        send(app.clone(), path).await;
        assert_eq!(told.span().name(), name, "{path}");
    }
}

/// Serves one request over TCP.
async fn served<M, S>(make: M) -> String
where
    M: FnOnce(TcpListener) -> S,
    S: std::future::IntoFuture<Output = std::io::Result<()>, IntoFuture: Send + 'static>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(make(listener).into_future());
    let mut client = TcpStream::connect(addr).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    server.abort();
    response
}

#[tokio::test]
async fn peer_that_axum_was_not_asked_for_is_reported_once() {
    let (told, tracing) = Told::policy(|policy| policy.attributes([Attribute::REMOTE_ADDR]));
    let app = Router::new()
        .route("/", get(async || "hello"))
        .layer(TracingLayer::new(&tracing));
    let with_peer = app.clone();
    if cfg!(feature = "connect-info") {
        served(|listener| {
            let app = with_peer.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app)
        })
        .await;
        told.nothing();
        assert!(told.span().tag("remote_addr").is_some());
    }
    for _ in 0..2 {
        let app = app.clone();
        served(|listener| axum::serve(listener, app)).await;
        assert_eq!(told.span().tag("remote_addr"), None);
    }
    let text = told.only();
    assert!(
        text.contains("`into_make_service_with_connect_info::<SocketAddr>()`"),
        "{text}"
    );
    assert_eq!(
        text.contains("enable the feature `connect-info`"),
        !cfg!(feature = "connect-info")
    );
}
