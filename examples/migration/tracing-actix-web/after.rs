//! A service that looks up the price of an order.

use actix_web::{App, HttpServer, web};
use opentracing_actix_web::{HttpTracing, TracingMiddleware};
use opentracing_otlp::OtlpTracer;
use tracing::{info, instrument};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    opentracing_tracing::init()?;
    let tracing = HttpTracing::new(OtlpTracer::from_env()?);

    let server = HttpServer::new(move || {
        App::new()
            .route("/orders/{id}", web::get().to(order))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let address = std::env::var("ADDRESS").unwrap_or("127.0.0.1:3000".to_owned());
    let server = server.bind(address)?;
    info!("listening on {}", server.addrs()[0]);
    Ok(server.run().await?)
}

async fn order(id: web::Path<u32>) -> String {
    let cents = price(*id).await;
    info!(cents, "priced");
    format!("order {id}: {cents} cents")
}

#[instrument]
async fn price(id: u32) -> u32 {
    info!("looking up the price");
    id * 125
}
