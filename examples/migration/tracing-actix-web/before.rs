//! A service that looks up the price of an order.

use actix_web::{App, HttpServer, web};
use tracing::{info, instrument};
use tracing_actix_web::TracingLogger;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().init();

    let server = HttpServer::new(|| {
        App::new()
            .route("/orders/{id}", web::get().to(order))
            .wrap(TracingLogger::default())
    });
    let address = std::env::var("ADDRESS").unwrap_or("127.0.0.1:3000".to_owned());
    let server = server.bind(address)?;
    info!("listening on {}", server.addrs()[0]);
    server.run().await
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
