//! What a traced request costs in allocations, over bare warp.

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

/// Takes every span, and keeps none.
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
        // What the server leaves there; without it the layer's mark is the first entry, and costs the map.
        .extension(SocketAddr::from(([127, 0, 0, 1], 4711)))
        // As hyper makes it, a copy of which shares its bytes.
        .header("host", HeaderValue::from_static("shop.example"))
        .header("user-agent", "curl/8.5.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, br")
        .header("connection", "keep-alive")
        .header("traceparent", traceparent)
        .body(Empty::new())
        .expect("the request is right")
}

/// Allocations of one request through the service as hyper calls it, its body read to the end.
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
    // The first fills thread-locals and lazy statics.
    once();
    once()
}

fn bare(path: &str) -> u64 {
    allocations(&warp::service(routes()), path, SAMPLED)
}

/// What the layer adds.
fn layer(tracing: &HttpTracing, path: &str, traceparent: &str) -> u64 {
    let service = TracingLayer::new(tracing).layer(warp::service(routes()));
    allocations(&service, path, traceparent) - bare(path)
}

/// What the filter adds.
fn filter(tracing: &HttpTracing, path: &str, traceparent: &str) -> u64 {
    let service = warp::service(routes().traced(tracing));
    allocations(&service, path, traceparent) - bare(path)
}

#[test]
fn behind_the_layer_a_request_costs_none_whether_it_is_recorded_or_not() {
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
fn a_traced_filter_costs_one_more_and_another_for_a_stream() {
    // The query: a copy, or warp's rejection that says there is none.
    const QUERY: u64 = 1;
    // The stream that goes back into warp's body.
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
fn the_layer_round_a_traced_filter_costs_one_more_for_the_mark() {
    let tracing = tracing();
    let service = TracingLayer::new(&tracing).layer(warp::service(routes().traced(&tracing)));
    let both = allocations(&service, "/users/7", UNSAMPLED) - bare("/users/7");
    // The query; and with the mark the request's extensions grow.
    assert_eq!(both, 2);
}
