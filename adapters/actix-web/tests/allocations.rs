//! The allocations that tracing adds to a request, on the request's thread.

use std::future::poll_fn;
use std::pin::pin;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, web};
use futures_util::FutureExt;
use opentracing_actix_web::{Attribute, HttpTracing, NoopTracer, TracingMiddleware};
use opentracing_http::{FinishedSpan, Tracer};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// A tracer that drops every span, so that only the request's own allocations are counted.
struct Forgets;

impl Tracer for Forgets {
    fn report(&self, _: FinishedSpan) {}
}

async fn handler(path: web::Path<u32>) -> &'static str {
    let _ = path.into_inner();
    "hello"
}

fn request(traceparent: &str) -> TestRequest {
    TestRequest::with_uri("/users/7?a=b")
        .insert_header(("host", "test.example"))
        .insert_header(("user-agent", "test"))
        .insert_header(("accept", "*/*"))
        .insert_header(("traceparent", traceparent))
}

/// Reads the response as a server does, to the end of its body.
fn take(response: ServiceResponse<impl MessageBody>) {
    let mut body = pin!(response.into_body());
    let mut next = || {
        poll_fn(|cx| body.as_mut().poll_next(cx))
            .now_or_never()
            .expect("a body that never waits")
    };
    while next().is_some() {}
}

/// Returns the number of allocations of one request, from the call to the end of its body.
macro_rules! allocations {
    ($app:expr, $traceparent:expr) => {{
        let app = init_service($app).await;
        let one = || {
            let request = request($traceparent).to_request();
            let count = allocation_counter::measure(|| {
                take(app.call(request).now_or_never().unwrap().unwrap());
            });
            count.count_total
        };
        // The first requests fill actix-web's pools.
        for _ in 0..10 {
            one();
        }
        one()
    }};
}

fn route() -> actix_web::Resource {
    web::resource("/users/{id}").route(web::get().to(handler))
}

#[actix_web::test]
async fn request_that_is_not_recorded_costs_no_allocation() {
    let bare = allocations!(App::new().service(route()), UNSAMPLED);

    let tracing = HttpTracing::builder(Forgets)
        .attributes([Attribute::URL])
        .skip("GET /skipped")
        .build()
        .unwrap();
    let middleware = || TracingMiddleware::new(&tracing);
    assert_eq!(
        allocations!(App::new().service(route()).wrap(middleware()), UNSAMPLED),
        bare,
        "at the app"
    );
    assert_eq!(
        allocations!(
            App::new()
                .service(route().wrap(middleware()))
                .wrap(middleware()),
            UNSAMPLED
        ),
        bare,
        "twice"
    );
    let inner = allocations!(App::new().service(route().wrap(middleware())), UNSAMPLED);
    assert_eq!(inner, bare, "at the resource");

    let noop = HttpTracing::new(NoopTracer);
    let noop = App::new()
        .service(route())
        .wrap(TracingMiddleware::new(&noop));
    assert_eq!(allocations!(noop, SAMPLED), bare, "with the no-op tracer");
}

#[actix_web::test]
async fn recorded_request_costs_one_allocation_and_one_for_each_boxed_body() {
    let bare = allocations!(App::new().service(route()), SAMPLED);
    let tracing = HttpTracing::new(Forgets);
    let middleware = || TracingMiddleware::new(&tracing);

    // The template that `match_pattern` returns.
    let app = allocations!(App::new().service(route()).wrap(middleware()), SAMPLED);
    assert!(app <= bare + 1, "at the app: {app}, bare: {bare}");

    // actix-web boxes the bodies of resources, scopes and routes, so it boxes `TracingBody` as well.
    let resource = allocations!(App::new().service(route().wrap(middleware())), SAMPLED);
    assert!(
        resource <= bare + 2,
        "at the resource: {resource}, bare: {bare}"
    );

    // A second mount point costs nothing, unless it has options, which are recorded.
    let twice = allocations!(
        App::new()
            .service(route().wrap(middleware()))
            .wrap(middleware()),
        SAMPLED
    );
    assert!(twice <= bare + 1, "twice: {twice}, bare: {bare}");
    let inner = TracingMiddleware::new(tracing.mount_point().attributes([Attribute::QUERY]));
    let chosen = allocations!(
        App::new().service(route().wrap(inner)).wrap(middleware()),
        SAMPLED
    );
    assert!(
        chosen <= bare + 2,
        "twice, with an attribute: {chosen}, bare: {bare}"
    );
}
