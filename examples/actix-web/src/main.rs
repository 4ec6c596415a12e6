//! The example service in actix-web.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::time::Duration;

use actix_web::error::ErrorServiceUnavailable;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Path, Query, ServiceConfig, get, resource, scope};
use actix_web::{App, HttpResponse, HttpServer};
use example_shared::{Answer, BaggageQuery, SlowQuery, ToQuery};
use futures_util::StreamExt;
use opentracing_actix_web::{Attribute, CurrentSpan, Span, TracingMiddleware};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    log_lines(&example_shared::levels("example-actix-web"));
    let tracing = example_shared::tracing("example-actix-web");
    // The spans of one route have these attributes as tags, in addition to the default tags.
    let chosen = TracingMiddleware::new(
        tracing
            .mount_point()
            .attributes([Attribute::URL, "header:x-request-id".parse()?]),
    );
    let all = TracingMiddleware::new(&tracing);

    let server = HttpServer::new(move || {
        App::new()
            .configure(routes)
            .service(resource("/chosen").wrap(chosen.clone()).get(hello))
            // Traces every route, and the 404 of all others.
            .wrap(all.clone())
    });
    let server = server
        .shutdown_signal(example_shared::stopped())
        .bind(example_shared::address(0))?;
    server.addrs().into_iter().for_each(example_shared::ready);
    server.run().await?;
    example_shared::flush(&tracing);
    Ok(())
}

/// Writes log lines with the ids of the current span to the standard error output.
fn log_lines(levels: &str) {
    env_logger::Builder::new()
        .parse_filters(levels)
        .format(|line, record| {
            let (time, ids) = (line.timestamp_millis(), Span::current().log_ids());
            let (level, target, text) = (record.level(), record.target(), record.args());
            writeln!(line, "{time} {level:5} {target}: {text}{ids:#}")
        })
        .init();
}

fn routes(app: &mut ServiceConfig) {
    app.route("/", get().to(hello))
        .service(scope("/shops/{shop}").route("/items/{id}", get().to(item)))
        .route("/error", get().to(error))
        .route("/panic", get().to(panic))
        .route("/stream", get().to(stream))
        .route("/slow", get().to(slow))
        .route("/call", get().to(call))
        .route("/chain", get().to(chain))
        .route("/child", get().to(child))
        .route("/log", get().to(log))
        .route("/baggage", get().to(baggage))
        .route("/health", get().to(health));
}

async fn hello() -> &'static str {
    "hello"
}

async fn item(path: Path<(String, String)>) -> String {
    let (shop, id) = path.into_inner();
    format!("item {id} of {shop}")
}

async fn error() -> actix_web::Result<&'static str> {
    Err(ErrorServiceUnavailable("not ready"))
}

async fn panic() -> &'static str {
    panic!("asked to panic")
}

async fn stream() -> HttpResponse {
    let chunks = example_shared::chunks().map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk)));
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .streaming(chunks)
}

async fn slow(query: Query<SlowQuery>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(query.ms.unwrap_or(1000))).await;
    "done"
}

async fn call(span: CurrentSpan, query: Query<ToQuery>) -> HttpResponse {
    pass_on(example_shared::call(&span, &query.to).await)
}

async fn chain(span: CurrentSpan, query: Query<ToQuery>) -> HttpResponse {
    pass_on(example_shared::chain(&span, &query.to).await)
}

async fn child(span: CurrentSpan) -> String {
    let compute = span.child("compute");
    let answer = 6 * 7;
    compute.set_tag("answer", answer);
    answer.to_string()
}

async fn log(span: CurrentSpan) -> &'static str {
    span.log((("event", "priced"), ("cart.items", 3)));
    log::info!("priced the cart");
    "logged"
}

async fn baggage(span: CurrentSpan, query: Query<BaggageQuery>) -> HttpResponse {
    if let Some((key, value)) = query.set.as_deref().and_then(|item| item.split_once(':')) {
        span.set_baggage_item(key, value);
    }
    if let Some(to) = &query.to {
        return pass_on(example_shared::call(&span, to).await);
    }
    let item = query.get.as_deref().and_then(|key| span.baggage_item(key));
    HttpResponse::Ok().body(item.unwrap_or_default())
}

async fn health() -> &'static str {
    "healthy"
}

fn pass_on(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    HttpResponse::build(status).body(answer.body)
}
