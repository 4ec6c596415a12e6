//! warp, its filters called as services.

use bytes::Bytes;
use http_body_util::Empty;
use opentracing_http::HttpTracing;
use opentracing_warp::{Traced as _, TracingLayer, route};
use tower::Layer as _;
use warp::{Filter, Rejection, Reply};

use super::service::{Nothing, ServiceApp, serve};
use super::{App, hello, parked};
use crate::case::{Case, Mount};

fn routes()
-> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync + 'static {
    let user = warp::path!("users" / u32)
        .and(route("/users/{id}"))
        .and_then(|_| async { Ok::<_, Rejection>(hello().await) });
    let parked = warp::path!("parked" / u32)
        .and(route("/parked/{id}"))
        .and_then(|_| async { Ok::<_, Rejection>(parked().await) });
    user.or(parked).unify()
}

pub(super) fn layer_app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let service = warp::service(routes());
    let context = case.context;
    match (case.mount, tracing) {
        (Mount::Traced(_), Some(tracing)) => {
            let service = TracingLayer::new(tracing).layer(service);
            Box::new(ServiceApp::<_, Empty<Bytes>>::new(service, context, serve))
        }
        (Mount::Nothing, _) => Box::new(ServiceApp::<_, Empty<Bytes>>::new(
            Nothing(service),
            context,
            serve,
        )),
        _ => Box::new(ServiceApp::<_, Empty<Bytes>>::new(service, context, serve)),
    }
}

pub(super) fn filter_app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let context = case.context;
    match (case.mount, tracing) {
        (Mount::Traced(_), Some(tracing)) => {
            let service = warp::service(routes().traced(tracing));
            Box::new(ServiceApp::<_, Empty<Bytes>>::new(service, context, serve))
        }
        (Mount::Nothing, _) => {
            let wrapped = routes().with(warp::wrap_fn(|filter| warp::any().and(filter)));
            let service = warp::service(wrapped);
            Box::new(ServiceApp::<_, Empty<Bytes>>::new(service, context, serve))
        }
        _ => Box::new(ServiceApp::<_, Empty<Bytes>>::new(
            warp::service(routes()),
            context,
            serve,
        )),
    }
}
