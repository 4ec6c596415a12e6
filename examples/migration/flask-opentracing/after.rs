//! A service that looks up the price of an order.

use std::env;
use std::net::SocketAddr;

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{BoxError, Router};
use opentracing_axum::{Attribute, CurrentSpan, HttpTracing, TracingLayer};
use opentracing_jaeger::JaegerTracer;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let tracing = HttpTracing::builder(JaegerTracer::builder("orders").env().build()?)
        .attributes([Attribute::URL, Attribute::REMOTE_ADDR])
        .build()?;
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .layer(TracingLayer::new(&tracing))
        .into_make_service_with_connect_info::<SocketAddr>();

    let address = env::var("ADDRESS").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(())
}

async fn order(Path(id): Path<u32>, span: CurrentSpan) -> String {
    span.set_tag("customer", "ada");
    let price = span.child("price");
    let cents = id * 125;
    price.set_tag("cents", cents);
    price.finish();
    span.log("priced");

    if let Ok(stock) = env::var("STOCK") {
        let mut headers = HeaderMap::new();
        span.inject(&mut headers);
        let call = reqwest::Client::new().get(stock).headers(headers);
        if let Err(error) = call.send().await {
            span.record_error(&error);
        }
    }
    format!("order {id}: {cents} cents")
}
