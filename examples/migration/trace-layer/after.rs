//! A service that looks up the price of an order.

use axum::extract::Path;
use axum::routing::get;
use axum::{BoxError, Router};
use opentracing_axum::{HttpTracing, TracingLayer};
use opentracing_otlp::OtlpTracer;
use tokio::net::TcpListener;
use tracing::{info, instrument};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let tracing = HttpTracing::new(OtlpTracer::from_env()?);
    opentracing_tracing::init()?;

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .layer(TracingLayer::new(&tracing));

    let address = std::env::var("ADDRESS").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    info!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(())
}

async fn order(Path(id): Path<u32>) -> String {
    let cents = price(id).await;
    info!(cents, "priced");
    format!("order {id}: {cents} cents")
}

#[instrument]
async fn price(id: u32) -> u32 {
    info!("looking up the price");
    id * 125
}
