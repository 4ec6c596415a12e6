//! The service contract, for the called app: it traces one route and has no others, so this shows what the contract
//! asserts instead of missing features.

use std::net::SocketAddr;

use example_contract::App;
use opentracing_testkit::service::{Route, Routes, Service, Template};
use opentracing_testkit::service_contract;
use opentracing_testkit::tracer::ReceivedSpan;

struct Server(App);

impl Service for Server {
    const ROUTES: Routes = Routes {
        template: Ok(Template {
            paths: ["/prices/7", "/prices/1234"],
            name: "GET /prices/{id}",
            template: "/prices/{id}",
        }),
        failure: Err("It looks prices up in a formula, which cannot fail."),
        not_found: Err("It traces one route, and not what no route has."),
        skipped: Ok("/untraced"),
        calls: Err("It is the one that is called."),
        ..Routes::only(
            Route {
                path: "/prices/1",
                name: "GET /prices/{id}",
            },
            "Its only answer is a number, at once.",
        )
    };

    fn start() -> Self {
        Self(App::start(env!("CARGO_BIN_EXE_server"), &[]))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn stop(self) -> Vec<ReceivedSpan> {
        self.0.spans()
    }
}

service_contract!(Server);
