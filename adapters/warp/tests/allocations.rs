//! The allocations that tracing adds to a request.

use std::convert::Infallible;
use std::net::SocketAddr;

use allocation_counter::measure;
use futures_util::stream;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Empty};
use opentracing_http::{FinishedSpan, NoopTracer, Tracer};
use opentracing_warp::{Attribute, HttpTracing, Traced, TracingLayer, route};
use tower::{Layer as _, Service, ServiceExt as _};
use warp::{Filter, Rejection, Reply};

/// A tracer that drops every span, so that only the request's own allocations are counted.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn routes() -> impl Filter<Extract = impl Reply, Error = Rejection> + Clone + Send + Sync + 'static
{
    let hello = || async {
        tokio::task::yield_now().await;
        "hello"
    };
    let chunks = || warp::reply::stream(stream::iter(["one", "two"].map(Ok::<_, Infallible>)));
    let user = warp::path("users").and(route("/users/{id}")).then(hello);
    user.or(warp::path("stream").map(chunks))
}

fn tracing() -> HttpTracing {
    HttpTracing::builder(Discard)
        .attributes([
            Attribute::USER_AGENT,
            Attribute::header(http::header::ACCEPT),
        ])
        .build()
        .expect("the policy is right")
}

fn request(path: &str, traceparent: &str) -> Request<Empty<&'static [u8]>> {
    Request::get(path)
        // Inserted as by a server. Without it the layer's mark would be the first entry, and cost the map.
        .extension(SocketAddr::from(([127, 0, 0, 1], 4711)))
        // Created as by hyper, so that a copy shares its bytes.
        .header("host", HeaderValue::from_static("shop.example"))
        .header("user-agent", "curl/8.5.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, br")
        .header("connection", "keep-alive")
        .header("traceparent", traceparent)
        .body(Empty::new())
        .expect("the request is right")
}

/// Returns the number of allocations of one request to the service, called as by hyper, with the reading of its body.
fn allocations<S, B>(service: &S, path: &str, traceparent: &str) -> u64
where
    S: Service<Request<Empty<&'static [u8]>>, Response = http::Response<B>, Error = Infallible>
        + Clone,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let once = || {
        let (request, service) = (request(path, traceparent), service.clone());
        let info = measure(|| {
            runtime.block_on(async {
                let response = service
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {});
                let mut body = Box::pin(response.into_body());
                while let Some(frame) = body.frame().await {
                    drop(frame.expect("the body goes on"));
                }
            });
        });
        info.count_total
    };
    // The first request fills thread-locals and lazy statics.
    once();
    once()
}

fn bare(path: &str) -> u64 {
    allocations(&warp::service(routes()), path, SAMPLED)
}

/// Returns the number that the layer adds.
fn layer(tracing: &HttpTracing, path: &str, traceparent: &str) -> u64 {
    let service = TracingLayer::new(tracing).layer(warp::service(routes()));
    allocations(&service, path, traceparent) - bare(path)
}

/// Returns the number that the filter adds.
fn filter(tracing: &HttpTracing, path: &str, traceparent: &str) -> u64 {
    let service = warp::service(routes().traced(tracing));
    allocations(&service, path, traceparent) - bare(path)
}

#[test]
fn request_with_the_layer_costs_no_allocation_recorded_or_not() {
    for path in ["/users/7", "/users/7?page=2", "/stream"] {
        assert_eq!(layer(&tracing(), path, UNSAMPLED), 0, "{path}");
        assert_eq!(
            layer(&HttpTracing::new(NoopTracer), path, SAMPLED),
            0,
            "{path}"
        );
        assert_eq!(layer(&tracing(), path, SAMPLED), 0, "{path}");
    }
}

#[test]
fn request_with_the_filter_costs_one_and_a_stream_one_more() {
    // A copy of the query, or warp's rejection if there is none.
    const QUERY: u64 = 1;
    // The stream from which warp's body is created.
    const STREAM: u64 = 1;

    for (path, ours) in [
        ("/users/7", QUERY),
        ("/users/7?page=2", QUERY),
        ("/stream", QUERY + STREAM),
    ] {
        assert_eq!(filter(&tracing(), path, UNSAMPLED), ours, "{path}");
        assert_eq!(filter(&tracing(), path, SAMPLED), ours, "{path}");
    }
    assert_eq!(
        filter(&HttpTracing::new(NoopTracer), "/users/7", SAMPLED),
        QUERY
    );
}

#[test]
fn layer_around_a_traced_filter_costs_one_more_for_the_mark() {
    let tracing = tracing();
    let service = TracingLayer::new(&tracing).layer(warp::service(routes().traced(&tracing)));
    let both = allocations(&service, "/users/7", UNSAMPLED) - bare("/users/7");
    // One for the query, and one because the mark makes the request's extensions grow.
    assert_eq!(both, 2);
}
