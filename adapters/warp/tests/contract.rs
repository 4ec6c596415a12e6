//! The contract that every adapter passes, in both forms.

mod app;
mod server;

use std::net::SocketAddr;

use opentracing_testkit::app::{App, Position};
use opentracing_testkit::server::{Capabilities, Feature, Running, Server, Task};
use opentracing_testkit::server_contract;
use opentracing_warp::{Traced as _, TracingLayer};
use tower::Layer as _;
use tower_http::catch_panic::CatchPanicLayer;
use warp::Filter as _;

use crate::app::{middleware, outside, routes, without_bodies_for_head};
use crate::server::{serve_service, start};

const ERROR_MESSAGE: (Feature, &str) = (
    Feature::ErrorMessage,
    "`recover` turns a rejection into a reply, so filters outside of it do not see the rejection.",
);
const TRAILERS: (Feature, &str) = (
    Feature::Trailers,
    "warp's replies contain only data, streams included.",
);
const AUTHORITY: &str = "Only `warp::host` reads the target's authority, and it rejects a request whose `Host` header differs.";

mod filter_form {
    use super::*;

    struct WarpServer(Running);

    impl Server for WarpServer {
        const CAPABILITIES: Capabilities = Capabilities {
            component: "warp",
            lacks: &[
                ERROR_MESSAGE,
                TRAILERS,
                (
                    Feature::LocalAddress,
                    "No filter of warp's reads the server's address.",
                ),
                (
                    Feature::PanicMessage,
                    "Filters are not called by the tracing, so it sees that one panicked and not with what.",
                ),
                (Feature::AbsoluteAuthority, AUTHORITY),
                (Feature::Http2Authority, AUTHORITY),
                (
                    Feature::TargetScheme,
                    "No filter of warp's reads the target's scheme.",
                ),
                (
                    Feature::HandlerError,
                    "Outside of all filters warp turns every rejection into a reply, with the status that the span has.",
                ),
                (
                    Feature::CatchPanicLayer,
                    "`warp::serve` accepts only filters, and no filter catches panics.",
                ),
            ],
            ..Capabilities::ALL
        };

        fn start(app: App) -> Self {
            let routes = routes(&app);
            let traced = match app.everywhere() {
                Some(tracing) => routes.traced(tracing).boxed(),
                None => routes,
            };
            let filter = without_bodies_for_head(middleware(&app, Position::Outside, traced));
            Self(start(move |listener| {
                warp::serve(filter).incoming(listener).run()
            }))
        }

        fn addr(&self) -> SocketAddr {
            self.0.addr()
        }

        fn spawn(task: Task) {
            tokio::spawn(task);
        }
    }

    server_contract!(WarpServer);
}

mod layer_form {
    use super::*;

    struct WarpService(Running);

    impl Server for WarpService {
        const CAPABILITIES: Capabilities = Capabilities {
            component: "warp",
            lacks: &[
                ERROR_MESSAGE,
                TRAILERS,
                (
                    Feature::HandlerError,
                    "`warp::service` turns every rejection into a reply: its error is `Infallible`.",
                ),
                (
                    Feature::UnmatchedRoute,
                    "Outside of `warp::service` a 404 that warp itself sends is a reply like any other.",
                ),
            ],
            ..Capabilities::ALL
        };

        fn start(app: App) -> Self {
            Self(start(async move |listener| {
                let routes = warp::service(routes(&app));
                let service = match app.everywhere() {
                    Some(tracing) => outside(&app, TracingLayer::new(tracing).layer(routes)),
                    None => outside(&app, routes),
                };
                if app.catches_panics() {
                    serve_service(listener, CatchPanicLayer::new().layer(service)).await;
                } else {
                    serve_service(listener, service).await;
                }
            }))
        }

        fn addr(&self) -> SocketAddr {
            self.0.addr()
        }

        fn spawn(task: Task) {
            tokio::spawn(task);
        }
    }

    server_contract!(WarpService);
}
