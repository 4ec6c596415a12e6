//! The routes that the example services have in common.

use std::time::Duration;

use opentracing_testkit::server::HangUp;
use opentracing_testkit::service::{Lasting, Route, Routes, Template};

/// All routes that the service contract requires, as in `examples/shared`.
pub const ROUTES: Routes = Routes {
    plain: Route {
        path: "/",
        name: "GET /",
    },
    template: Ok(Template {
        paths: ["/shops/corner/items/7", "/shops/main/items/8"],
        name: "GET /shops/{shop}/items/{id}",
        template: "/shops/{shop}/items/{id}",
    }),
    failure: Ok(Route {
        path: "/error",
        name: "GET /error",
    }),
    not_found: Ok("GET"),
    skipped: Ok("/health"),
    calls: Ok(Route {
        path: "/call?to=",
        name: "GET /call",
    }),
    stream: Ok(Lasting {
        route: Route {
            path: "/stream",
            name: "GET /stream",
        },
        lasts: Duration::from_millis(15),
    }),
    slow: Ok(Lasting {
        route: Route {
            path: "/slow?ms=20",
            name: "GET /slow",
        },
        lasts: Duration::from_millis(20),
    }),
    hang_up: HangUp::Cancels,
};
