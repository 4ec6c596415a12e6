//! The contract that every adapter passes, in both forms.

mod server;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;

use futures_util::{StreamExt as _, stream};
use http::{StatusCode, header};
use opentracing_testkit::app::{self, App, CHUNKS, Gate};
use opentracing_testkit::server::{Capabilities, HangUp, Panic, Server};
use opentracing_testkit::server_contract;
use opentracing_warp::{Traced as _, TracingFilter, TracingLayer, route};
use tower::Layer as _;
use warp::filters::BoxedFilter;
use warp::reject::Reject;
use warp::reply::{self, Response};
use warp::{Filter, Rejection, Reply};

use crate::server::{Running, serve_service};

const CAPABILITIES: Capabilities = Capabilities {
    component: "warp",
    item: Some("/items/{id}"),
    nested_item: Some("/nested/items/{id}"),
    panic: Panic::ClosesTheConnection,
    hang_up: HangUp::Cancels,
    // `recover` makes a reply of it before anyone outside sees it.
    error_message: false,
    peer: true,
};

mod filter_form {
    use super::*;

    struct WarpServer(Running);

    impl Server for WarpServer {
        const CAPABILITIES: Capabilities = super::CAPABILITIES;

        fn start(app: App) -> Self {
            Self(Running::start(move |listener| async move {
                let tracing = app.tracing.clone();
                let routes = routes(app).recover(recover);
                match tracing {
                    Some(tracing) => {
                        warp::serve(routes.traced(&tracing))
                            .incoming(listener)
                            .run()
                            .await
                    }
                    None => warp::serve(routes).incoming(listener).run().await,
                }
            }))
        }

        fn addr(&self) -> SocketAddr {
            self.0.addr
        }
    }

    server_contract!(WarpServer);
}

mod layer_form {
    use super::*;

    struct WarpService(Running);

    impl Server for WarpService {
        const CAPABILITIES: Capabilities = super::CAPABILITIES;

        fn start(app: App) -> Self {
            Self(Running::start(move |listener| async move {
                let tracing = app.tracing.clone();
                let service = warp::service(routes(app).recover(recover));
                match tracing {
                    Some(tracing) => {
                        serve_service(listener, TracingLayer::new(&tracing).layer(service)).await
                    }
                    None => serve_service(listener, service).await,
                }
            }))
        }

        fn addr(&self) -> SocketAddr {
            self.0.addr
        }
    }

    server_contract!(WarpService);
}

fn routes(app: App) -> BoxedFilter<(Response,)> {
    let item = || warp::path!("items" / String);
    let mut chosen = at("chosen").map(|| "chosen".into_response()).boxed();
    if let Some(tracing) = &app.tracing {
        chosen = chosen
            .traced_route(&TracingFilter::new(tracing).attributes(app::chosen()))
            .boxed();
    }
    let (hang, endless) = (app.gate.clone(), app.gate);
    at("foo")
        .map(|| "bar".into_response())
        .or(item().and(route("/items/{id}")).map(Reply::into_response))
        .unify()
        .or(warp::path("nested")
            .and(item())
            .and(route("/nested/items/{id}"))
            .map(Reply::into_response))
        .unify()
        .boxed()
        .or(at("inject")
            .or(at("untraced"))
            .unify()
            .map(|| app::injected().into_response()))
        .unify()
        .or(at("async").then(|| async {
            app::turn().await;
            app::injected().into_response()
        }))
        .unify()
        .or(at("child").map(|| {
            app::child();
            reply::reply().into_response()
        }))
        .unify()
        .boxed()
        .or(at("baggage").map(|| {
            app::set_baggage();
            app::injected().into_response()
        }))
        .unify()
        .or(at("badrequest").map(|| StatusCode::BAD_REQUEST.into_response()))
        .unify()
        .or(at("error").and_then(|| async { Err::<Response, _>(warp::reject::custom(NotReady)) }))
        .unify()
        .or(at("panic").then(|| async { panics() }))
        .unify()
        .boxed()
        .or(at("stream").map(|| reply::stream(chunks()).into_response()))
        .unify()
        .or(at("events").map(|| {
            let events = reply::stream(chunks());
            reply::with_header(events, header::CONTENT_TYPE, "text/event-stream").into_response()
        }))
        .unify()
        .or(at("endless").map(move || endless_body(endless.clone())))
        .unify()
        .boxed()
        .or(at("hang").then(move || {
            let gate = hang.clone();
            async move {
                gate.wait().await;
                reply::reply().into_response()
            }
        }))
        .unify()
        .or(at("empty").map(|| StatusCode::NO_CONTENT.into_response()))
        .unify()
        .or(chosen)
        .unify()
        .boxed()
}

/// `GET` and `HEAD` of one path.
fn at(path: &'static str) -> BoxedFilter<()> {
    warp::path(path)
        .and(warp::path::end())
        .and(warp::get().or(warp::head()).unify())
        .boxed()
}

#[derive(Debug)]
struct NotReady;

impl Reject for NotReady {}

async fn recover(rejection: Rejection) -> Result<Response, Rejection> {
    match rejection.find() {
        Some(NotReady) => {
            Ok(reply::with_status(app::ERROR, StatusCode::SERVICE_UNAVAILABLE).into_response())
        }
        None => Err(rejection),
    }
}

fn panics() -> Response {
    panic!("as asked for");
}

fn endless_body(gate: Gate) -> Response {
    let first = stream::once(async { Ok::<_, Infallible>(CHUNKS[0]) });
    let rest = stream::once(async move {
        gate.wait().await;
        Ok(CHUNKS[1])
    });
    reply::stream(first.chain(rest)).into_response()
}

fn chunks() -> impl stream::Stream<Item = Result<&'static str, Infallible>> + Send + Sync {
    stream::unfold(VecDeque::from(CHUNKS), async |mut rest| {
        let chunk = app::next_chunk(&mut rest).await?;
        Some((Ok(chunk), rest))
    })
}
