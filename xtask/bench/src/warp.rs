//! warp, its filters called as services.

use std::convert::Infallible;

use http::Request;
use opentracing_warp::{Traced as _, TracingLayer, route};
use tower::{Layer as _, Service, ServiceExt as _};
use warp::{Filter, Rejection, Reply};

use crate::measure::{BARE, Bench};
use crate::variant::{HEADERS, SAMPLED, traced};

type Request_ = Request<http_body_util::Empty<&'static [u8]>>;

fn routes()
-> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path!("users" / u32)
        .and(route("/users/{id}"))
        .and_then(|_| async {
            tokio::task::yield_now().await;
            Ok::<_, Rejection>("hello")
        })
}

pub(crate) fn layer_benches() -> Vec<Bench> {
    let mut benches = vec![
        bench(BARE, warp::service(routes()), SAMPLED),
        bench(
            "a layer that does nothing",
            warp::service(routes()).map_request(|request: Request_| request),
            SAMPLED,
        ),
    ];
    benches.extend(traced().map(|traced| {
        let service = TracingLayer::new(&traced.tracing).layer(warp::service(routes()));
        bench(traced.name, service, traced.traceparent)
    }));
    benches
}

pub(crate) fn filter_benches() -> Vec<Bench> {
    let mut benches = vec![
        bench(BARE, warp::service(routes()), SAMPLED),
        bench(
            "a wrapper that does nothing",
            warp::service(routes().with(warp::wrap_fn(|filter| warp::any().and(filter)))),
            SAMPLED,
        ),
    ];
    benches.extend(traced().map(|traced| {
        let service = warp::service(routes().traced(&traced.tracing));
        bench(traced.name, service, traced.traceparent)
    }));
    benches
}

fn bench<S, B>(name: &str, service: S, traceparent: &'static str) -> Bench
where
    S: Service<Request_, Response = http::Response<B>, Error = Infallible> + Clone + 'static,
    B: http_body_util::BodyExt,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    Bench::new(name, move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let mut request =
                    Request::get("/users/7?page=2").header("traceparent", traceparent);
                for (name, value) in HEADERS {
                    request = request.header(name, value);
                }
                let request = request
                    .body(http_body_util::Empty::new())
                    .expect("a request");
                let Ok(response) = service.clone().oneshot(request).await;
                drop(response.into_body().collect().await);
            }
        });
    })
}
