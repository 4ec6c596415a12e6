//! The service contract, for the example as a separate process.

use std::net::SocketAddr;

use example_contract::{
    App, ROUTES, log_lines_carry_the_ids, reaches_a_collector_by_variables_alone,
};
use opentracing_testkit::server::HangUp;
use opentracing_testkit::service::{Routes, Service, Template};
use opentracing_testkit::service_contract;
use opentracing_testkit::tracer::ReceivedSpan;

struct Rocket(App);

impl Service for Rocket {
    const ROUTES: Routes = Routes {
        template: Ok(Template {
            paths: ["/shops/corner/items/7", "/shops/main/items/8"],
            name: "GET /shops/<shop>/items/<id>",
            template: "/shops/<shop>/items/<id>",
        }),
        hang_up: HangUp::RunsOn,
        ..ROUTES
    };

    fn start() -> Self {
        Self(App::start(env!("CARGO_BIN_EXE_example-rocket"), &[]))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn stop(self) -> Vec<ReceivedSpan> {
        self.0.spans()
    }
}

service_contract!(Rocket);

#[test]
fn spans_reach_a_collector_by_variables_alone() {
    reaches_a_collector_by_variables_alone(env!("CARGO_BIN_EXE_example-rocket"));
}

#[test]
fn log_lines_of_a_request_carry_its_ids() {
    log_lines_carry_the_ids(env!("CARGO_BIN_EXE_example-rocket"));
}
