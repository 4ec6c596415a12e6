//! The called app: it traces one route, with chosen attributes of the request.

use std::error::Error;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use opentracing_axum::{Attribute, CurrentSpan, Span, TracingLayer};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    example_two_apps::log_lines("server")?;
    let tracing = example_shared::tracing("example-server");
    let traced = TracingLayer::new(
        tracing
            .mount_point()
            .attributes([Attribute::URL, Attribute::METHOD]),
    );
    let app = Router::new()
        .route("/prices/{id}", get(price).layer(traced))
        .route("/untraced", get(|| async { "nobody knows" }));

    let listener = TcpListener::bind(example_shared::address(5000)).await?;
    example_shared::ready(listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(example_shared::stopped())
        .await?;
    example_shared::flush(&tracing);
    Ok(())
}

async fn price(span: CurrentSpan, Path(id): Path<u32>) -> String {
    let price = look_up(id);
    span.log((("event", "priced"), ("price", price)));
    tracing::info!(id, price, "priced");
    price.to_string()
}

/// Without access to the request, the span is the current one.
fn look_up(id: u32) -> u32 {
    let span = Span::current().child("look up");
    span.set_tag("item.id", id);
    id % 100
}
