//! Servers on free ports.

#![allow(dead_code, unreachable_pub, missing_debug_implementations)]

use std::convert::Infallible;

use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use opentracing_testkit::server::Running;
use opentracing_warp::LocalAddr;
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use warp::hyper::body::Incoming;

/// Serves with a tokio listener.
pub fn start<F: Future<Output = ()>>(
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> Running {
    Running::tokio(|listener| serve(TcpListener::from_std(listener).expect("a socket for tokio")))
}

/// Serves a service as `warp::serve` does, and inserts the addresses of both ends into the extensions.
pub async fn serve_service<S, B>(listener: TcpListener, service: S)
where
    S: tower::Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    loop {
        let (stream, peer) = listener.accept().await.expect("a connection");
        let local = stream.local_addr().expect("an address");
        let service = service.clone().map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(LocalAddr(local));
            request
        });
        tokio::spawn(async move {
            let service = TowerToHyperService::new(service);
            let builder = Builder::new(TokioExecutor::new());
            // It fails if the client has left, which some cases want.
            let _ = builder
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}
