//! A tower service as an application: what tower, axum and warp have in common.

use std::any::Any;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use tower_service::Service;

use super::{App, Worker, listener, local_runtime, park, runtime};
use crate::request::{Context, PARKED, TARGET, request};

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A service that is called with requests of the body `R`, and how it is served.
pub(super) struct ServiceApp<S, R> {
    service: S,
    context: Context,
    serve: fn(S, TcpListener) -> Serving,
    body: PhantomData<fn(R)>,
}

impl<S, R> ServiceApp<S, R> {
    pub(super) const fn new(
        service: S,
        context: Context,
        serve: fn(S, TcpListener) -> Serving,
    ) -> Self {
        Self {
            service,
            context,
            serve,
            body: PhantomData,
        }
    }
}

impl<S, R, B> App for ServiceApp<S, R>
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Default + 'static,
    B: http_body::Body<Error: Debug> + 'static,
{
    fn worker(&self) -> Box<dyn Worker> {
        Box::new(ServiceWorker {
            service: self.service.clone(),
            context: self.context,
            runtime: local_runtime(),
            requests: Vec::new(),
        })
    }

    fn serve(&self, threads: usize, ready: Box<dyn FnOnce(SocketAddr) + Send>) {
        let runtime = runtime(threads);
        let _entered = runtime.enter();
        let listener = listener();
        let address = listener.local_addr().expect("an address");
        let serving = runtime.spawn((self.serve)(self.service.clone(), listener));
        ready(address);
        runtime.block_on(serving).expect("a server that runs on");
    }
}

struct ServiceWorker<S, R> {
    service: S,
    context: Context,
    runtime: Runtime,
    requests: Vec<Request<R>>,
}

impl<S, R, B> Worker for ServiceWorker<S, R>
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    R: Default + 'static,
    B: http_body::Body<Error: Debug> + 'static,
{
    fn prepare(&mut self, requests: u32) {
        let made = (0..requests).map(|_| request(TARGET, self.context));
        self.requests.extend(made);
    }

    fn run(&mut self) {
        self.runtime.block_on(async {
            for request in self.requests.drain(..) {
                let Ok(response) = self.service.clone().oneshot(request).await;
                let mut body = std::pin::pin!(response.into_body());
                while let Some(frame) = body.frame().await {
                    frame.expect("a body without error");
                }
            }
        });
    }

    #[cfg(test)]
    fn response(&mut self) -> (u16, Vec<u8>) {
        self.runtime.block_on(async {
            let request = request(TARGET, self.context);
            let Ok(response) = self.service.clone().oneshot(request).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await;
            (
                status,
                body.expect("a body without error").to_bytes().to_vec(),
            )
        })
    }

    fn park(&mut self, requests: usize) -> Box<dyn Any> {
        let _entered = self.runtime.enter();
        Box::new(park((0..requests).map(|_| {
            self.service.clone().oneshot(request(PARKED, self.context))
        })))
    }
}

/// Serves a service by hyper alone, each connection a task.
pub(super) fn serve<S, B>(service: S, listener: TcpListener) -> Serving
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    Box::pin(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    })
}

/// A layer that does nothing.
#[derive(Clone)]
pub(super) struct Nothing<S>(pub(super) S);

impl<S: Service<R>, R> Service<R> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}
