//! axum, its router called as `axum::serve` does.

use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt as _;
use opentracing_axum::TracingLayer;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::measure::{BARE, Bench};
use crate::variant::{HEADERS, SAMPLED, traced};

/// A layer that does nothing.
#[derive(Clone)]
struct Nothing<S>(S);

impl<S: Service<R>, R> Service<R> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

fn app() -> Router {
    Router::new().route(
        "/users/{id}",
        get(async || {
            tokio::task::yield_now().await;
            "hello"
        }),
    )
}

pub(crate) fn benches() -> Vec<Bench> {
    let mut benches = vec![
        bench(BARE, app(), SAMPLED),
        bench(
            "a layer that does nothing",
            app().layer(tower_layer::layer_fn(Nothing)),
            SAMPLED,
        ),
    ];
    benches.extend(traced().map(|traced| {
        let app = app().layer(TracingLayer::new(&traced.tracing));
        bench(traced.name, app, traced.traceparent)
    }));
    benches
}

fn bench(name: &str, app: Router, traceparent: &'static str) -> Bench {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    // With its state applied: otherwise handlers and layers are made anew on every call.
    let app: Router = app.with_state(());
    Bench::new(name, move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let response = app
                    .clone()
                    .oneshot(request(traceparent))
                    .await
                    .expect("infallible");
                response.into_body().collect().await.expect("a body");
            }
        });
    })
}

fn request(traceparent: &str) -> Request<Body> {
    let mut request = Request::get("/users/7?page=2").header("traceparent", traceparent);
    for (name, value) in HEADERS {
        request = request.header(name, value);
    }
    request.body(Body::empty()).expect("a request")
}
