//! axum, its router called as `axum::serve` does.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use opentracing_axum::TracingLayer;
use opentracing_http::HttpTracing;

use super::service::{Nothing, ServiceApp};
use super::{App, hello, parked};
use crate::case::{Case, Mount};

pub(super) fn app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let app = Router::new()
        .route("/users/{id}", get(hello))
        .route("/parked/{id}", get(parked));
    let app = match (case.mount, tracing) {
        (Mount::Traced(_), Some(tracing)) => app.layer(TracingLayer::new(tracing)),
        (Mount::Nothing, _) => app.layer(tower_layer::layer_fn(Nothing)),
        _ => app,
    };
    // With its state applied: otherwise handlers and layers are made anew on every call.
    let app: Router = app.with_state(());
    Box::new(ServiceApp::<_, Body>::new(
        app,
        case.context,
        |app, listener| {
            Box::pin(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                let _ = axum::serve(listener, app).await;
            })
        },
    ))
}
