//! The service contract, for the example as a separate process.

use std::net::SocketAddr;

use example_contract::{
    App, ROUTES, log_lines_carry_the_ids, reaches_a_collector_by_variables_alone,
};
use opentracing_testkit::service::{Routes, Service};
use opentracing_testkit::service_contract;
use opentracing_testkit::tracer::ReceivedSpan;

struct Warp(App);

impl Service for Warp {
    const ROUTES: Routes = ROUTES;

    fn start() -> Self {
        Self(App::start(env!("CARGO_BIN_EXE_example-warp"), &[]))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn stop(self) -> Vec<ReceivedSpan> {
        self.0.spans()
    }
}

service_contract!(Warp);

#[test]
fn spans_reach_a_collector_by_variables_alone() {
    reaches_a_collector_by_variables_alone(env!("CARGO_BIN_EXE_example-warp"));
}

#[test]
fn log_lines_of_a_request_carry_its_ids() {
    log_lines_carry_the_ids(env!("CARGO_BIN_EXE_example-warp"));
}
