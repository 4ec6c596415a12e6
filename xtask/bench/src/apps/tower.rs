//! A plain tower service, served by hyper.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use opentracing_http::HttpTracing;
use opentracing_tower::TracingLayer;
use tower::Layer as _;
use tower_service::Service;

use super::App;
use super::service::{Nothing, ServiceApp, serve};
use crate::case::{Case, Mount};
use crate::request::PARKED;

/// Routes by the first letters of the path, and responds as the frameworks' handlers do.
#[derive(Clone)]
struct Hello;

impl<B> Service<Request<B>> for Hello {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_parked = PARKED.starts_with(request.uri().path());
        Box::pin(async move {
            let text = match is_parked {
                true => super::parked().await,
                false => super::hello().await,
            };
            Ok(Response::new(Full::new(Bytes::from_static(
                text.as_bytes(),
            ))))
        })
    }
}

pub(super) fn app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let context = case.context;
    match (case.mount, tracing) {
        (Mount::Traced(_), Some(tracing)) => {
            let service = TracingLayer::new(tracing).layer(Hello);
            Box::new(ServiceApp::<_, Empty<Bytes>>::new(service, context, serve))
        }
        (Mount::Nothing, _) => Box::new(ServiceApp::<_, Empty<Bytes>>::new(
            Nothing(Hello),
            context,
            serve,
        )),
        _ => Box::new(ServiceApp::<_, Empty<Bytes>>::new(Hello, context, serve)),
    }
}
