//! A service that looks up the price of an order.

use axum::extract::{MatchedPath, Path, Request};
use axum::routing::get;
use axum::{BoxError, Router};
use tokio::net::TcpListener;
use tower_http::trace::TraceLayer;
use tracing::{Span, info, info_span, instrument};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().init();

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .layer(TraceLayer::new_for_http().make_span_with(request_span));

    let address = std::env::var("ADDRESS").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    info!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(())
}

fn request_span(request: &Request) -> Span {
    let route = request.extensions().get().map(MatchedPath::as_str);
    info_span!("request", method = %request.method(), route)
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
